package footfall.flink;

import java.util.HashSet;

/** A set of user ids: short ones in an open-addressing table, the others in a HashSet. */
final class UserSet {
    /** ShortId.NONE marks a free place; at most half of the places are taken. */
    private long[] places = new long[8];
    private int taken;
    private HashSet<String> longIds;

    void add(Event event) {
        if (event.user != ShortId.NONE) {
            add(event.user);
            return;
        }
        if (longIds == null) longIds = new HashSet<>();
        longIds.add(event.longUser);
    }

    int size() {
        return taken + (longIds == null ? 0 : longIds.size());
    }

    private void add(long id) {
        int place = placeOf(id);
        if (places[place] == id) return;
        places[place] = id;
        taken++;
        if (taken * 2 > places.length) grow();
    }

    /** Where the id is or belongs. */
    private int placeOf(long id) {
        // Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4): the topmost bits are the mixed ones.
        int shift = Long.numberOfLeadingZeros(places.length) + 1;
        int place = (int) (id * 0x9E3779B97F4A7C15L >>> shift);
        while (places[place] != id && places[place] != ShortId.NONE) place = place + 1 & places.length - 1;
        return place;
    }

    private void grow() {
        long[] old = places;
        places = new long[old.length * 2];
        for (long id : old) {
            if (id != ShortId.NONE) places[placeOf(id)] = id;
        }
    }
}
