//! What the demo shop sells, and to whom: the same in every demo, so that a restart finds what is there.

use schemas::Currency;
use serde_json::{Value, json};

/// What belongs together in a shop.
struct Category {
    name: &'static str,
    /// What things are.
    things: [&'static str; 5],
    /// What they are made of or for.
    kinds: [&'static str; 5],
    /// The cheapest and the dearest, in whole units of the currency.
    prices: (u32, u32),
}

const CATEGORIES: [Category; 12] = [
    Category {
        name: "lamps",
        things: ["desk lamp", "floor lamp", "pendant lamp", "wall light", "reading lamp"],
        kinds: ["Brass", "Paper", "Opal glass", "Oak", "Matt black"],
        prices: (19, 249),
    },
    Category {
        name: "chairs",
        things: ["dining chair", "armchair", "bar stool", "rocking chair", "folding chair"],
        kinds: ["Ash", "Velvet", "Rattan", "Walnut", "Leather"],
        prices: (29, 590),
    },
    Category {
        name: "tables",
        things: ["dining table", "side table", "coffee table", "console", "bedside table"],
        kinds: ["Oak", "Marble", "Glass", "Bamboo", "Recycled teak"],
        prices: (39, 1290),
    },
    Category {
        name: "rugs",
        things: ["rug", "runner", "doormat", "bath mat", "sheepskin"],
        kinds: ["Wool", "Jute", "Striped", "Washable", "Berber"],
        prices: (15, 420),
    },
    Category {
        name: "kitchen",
        things: ["saucepan", "frying pan", "casserole", "bread knife", "chopping board"],
        kinds: ["Cast-iron", "Copper", "Steel", "Enamel", "Olive wood"],
        prices: (12, 199),
    },
    Category {
        name: "tableware",
        things: ["dinner plate", "soup bowl", "mug", "carafe", "serving dish"],
        kinds: ["Stoneware", "Porcelain", "Speckled", "Hand-painted", "Terracotta"],
        prices: (6, 79),
    },
    Category {
        name: "bedding",
        things: ["duvet cover", "fitted sheet", "pillow", "blanket", "bedspread"],
        kinds: ["Linen", "Cotton", "Merino", "Flannel", "Down"],
        prices: (18, 320),
    },
    Category {
        name: "bath",
        things: ["bath towel", "hand towel", "bathrobe", "soap dish", "laundry basket"],
        kinds: ["Waffle", "Terry", "Organic", "Seagrass", "Hammam"],
        prices: (8, 99),
    },
    Category {
        name: "garden",
        things: ["planter", "watering can", "lantern", "bench", "parasol"],
        kinds: ["Zinc", "Terracotta", "Teak", "Wicker", "Weathered steel"],
        prices: (14, 480),
    },
    Category {
        name: "office",
        things: ["notebook", "desk tray", "pen holder", "monitor stand", "wall calendar"],
        kinds: ["Cork", "Felt", "Walnut", "Recycled", "Brushed steel"],
        prices: (5, 129),
    },
    Category {
        name: "storage",
        things: ["bookcase", "wall shelf", "basket", "coat rack", "shoe cabinet"],
        kinds: ["Pine", "Wire", "Birch", "Lacquered", "Canvas"],
        prices: (11, 690),
    },
    Category {
        name: "children",
        things: ["building blocks", "night light", "toy chest", "step stool", "wooden train"],
        kinds: ["Beech", "Pastel", "Rainbow", "Forest", "Star"],
        prices: (9, 149),
    },
];

/// How many products of each category there are: each kind of each thing.
pub(super) const PER_CATEGORY: usize = 25;
/// How many products there are.
pub(super) const PRODUCTS: usize = CATEGORIES.len() * PER_CATEGORY;

const CUSTOMERS: [&str; 20] = [
    "Ada Lovelace",
    "Alan Turing",
    "Barbara Liskov",
    "Claude Shannon",
    "Donald Knuth",
    "Edsger Dijkstra",
    "Emmy Noether",
    "Frances Allen",
    "Grace Hopper",
    "Hedy Lamarr",
    "Jim Gray",
    "John Backus",
    "Katherine Johnson",
    "Leslie Lamport",
    "Margaret Hamilton",
    "Mary Shaw",
    "Niklaus Wirth",
    "Radia Perlman",
    "Sophie Wilson",
    "Tony Hoare",
];

/// Bodies of `POST /products`, a category's one after the other.
pub(super) fn products(currency: Currency) -> Vec<Value> {
    CATEGORIES.iter().flat_map(|category| category.products(currency)).collect()
}

/// Bodies of `POST /customers`. Nobody knows the passwords: who wants to log in as one of them gives it a new one.
pub(super) fn customers<E>(mut password: impl FnMut() -> Result<String, E>) -> Result<Vec<Value>, E> {
    let customer = |(place, name): (usize, &&str)| {
        let local_part = name.to_lowercase().replace(' ', ".");
        Ok(json!({
            "name": name,
            "email": format!("{local_part}@demo.example"),
            "phone": format!("+49 30 5550 {:03}", place + 101),
            "address": format!("{} Market Street", place + 1),
            "password": password()?,
        }))
    };
    CUSTOMERS.iter().enumerate().map(customer).collect()
}

impl Category {
    fn products(&self, currency: Currency) -> impl Iterator<Item = Value> {
        let of_thing = move |(place, thing): (usize, &'static str)| {
            let of_kind = move |(rank, kind): (usize, &'static str)| {
                // Spread over the range, in no order that a reader would see.
                let place = (place * 5 + rank) * 7 % PER_CATEGORY;
                self.product(thing, kind, u32::try_from(place).unwrap_or(0), currency)
            };
            self.kinds.into_iter().enumerate().map(of_kind)
        };
        self.things.into_iter().enumerate().flat_map(of_thing)
    }

    /// The product at a place from 0 to [`PER_CATEGORY`] in the order of prices.
    fn product(&self, thing: &str, kind: &str, place: u32, currency: Currency) -> Value {
        let (cheapest, dearest) = self.prices;
        let steps = u32::try_from(PER_CATEGORY - 1).unwrap_or(1);
        // By the square: most things are cheap.
        let whole = cheapest + (dearest - cheapest) * place * place / (steps * steps);
        json!({
            "name": format!("{kind} {thing}"),
            "description": format!("A {thing} of the demo shop: {}.", kind.to_lowercase()),
            "category": self.name,
            "price": price(whole, currency),
            "stock_quantity": 20 + place * 13 % 180,
        })
    }
}

/// A price just below the next unit, where the currency has smaller ones.
fn price(whole: u32, currency: Currency) -> String {
    match usize::from(currency.digits()) {
        0 => whole.to_string(),
        digits => format!("{whole}.{:0<digits$}", 9),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn there_are_three_hundred_products_of_different_names_in_twelve_categories() {
        let products = products("EUR".parse().unwrap());
        assert_eq!(products.len(), 300);
        let names: HashSet<_> = products.iter().map(|product| product["name"].as_str().unwrap()).collect();
        assert_eq!(names.len(), 300);
        for category in products.chunks(PER_CATEGORY) {
            assert!(category.iter().all(|product| product["category"] == category[0]["category"]));
        }
        let categories: HashSet<_> = products.iter().map(|product| product["category"].as_str().unwrap()).collect();
        assert_eq!(categories.len(), 12);
    }

    #[test]
    fn prices_have_the_digits_of_the_currency() {
        for (code, expected) in [("EUR", "19.90"), ("JPY", "19"), ("KWD", "19.900")] {
            assert_eq!(price(19, code.parse().unwrap()), expected);
        }
    }

    #[test]
    fn customers_have_addresses_of_their_own_and_passwords_that_were_made_up() {
        let mut count = 0;
        let customers = customers(|| {
            count += 1;
            Ok::<_, ()>(format!("password {count}"))
        })
        .unwrap();
        let emails: HashSet<_> = customers.iter().map(|customer| customer["email"].as_str().unwrap()).collect();
        assert_eq!((emails.len(), customers.len(), count), (20, 20, 20));
    }
}
