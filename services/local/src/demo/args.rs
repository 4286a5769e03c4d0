//! What the demo is told.

use clap::Args;
use clap::builder::BoolishValueParser;

/// Events a second beyond which a laptop has little else to do.
const MAX_RATE: i64 = 20_000;

/// The demo shop.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Demo shop")]
pub struct DemoArgs {
    /// No demo: no products, customers and visitors that nobody has made
    #[arg(long, env = "FOOTFALL_NO_DEMO", value_parser = BoolishValueParser::new())]
    pub no_demo: bool,

    /// Where the demo's random choices start; the same number, the same fashions
    #[arg(long, env = "FOOTFALL_DEMO_SEED", value_name = "N", default_value_t = 1)]
    pub demo_seed: u64,

    /// How many events the demo's visitors make in a second, on the average of a day
    #[arg(long, env = "FOOTFALL_DEMO_RATE", value_name = "EVENTS", default_value_t = 100,
        value_parser = clap::value_parser!(u32).range(1..=MAX_RATE))]
    pub demo_rate: u32,
}
