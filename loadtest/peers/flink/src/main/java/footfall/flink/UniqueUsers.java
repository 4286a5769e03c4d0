package footfall.flink;

import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/**
 * Tumbling windows of a minute and the set of users of each, by hand: one look at the state and, but for the first event of a
 * window, no timer for an event. Flink's window operator looks up state by key and window and sets the timer again each time.
 */
final class UniqueUsers extends KeyedProcessFunction<String, Event, Count> {
    static final long WINDOW_MILLIS = 60_000;

    private transient ValueState<OpenWindow> state;

    @Override
    public void open(OpenContext context) {
        state = getRuntimeContext().getState(new ValueStateDescriptor<>("open windows", OpenWindow.class));
    }

    @Override
    public void processElement(Event event, Context context, Collector<Count> out) throws Exception {
        long timestamp = context.timestamp();
        long start = timestamp - timestamp % WINDOW_MILLIS;
        OpenWindow newest = state.value();
        OpenWindow window = newest;
        while (window != null && window.start != start) window = window.next;
        if (window == null) {
            long last = start + WINDOW_MILLIS - 1;
            // Late: the window's row is written.
            if (last <= context.timerService().currentWatermark()) return;
            window = new OpenWindow(start, newest);
            state.update(window);
            context.timerService().registerEventTimeTimer(last);
        }
        window.users.add(event);
    }

    @Override
    public void onTimer(long last, OnTimerContext context, Collector<Count> out) throws Exception {
        long start = last + 1 - WINDOW_MILLIS;
        OpenWindow newest = state.value();
        OpenWindow before = null;
        OpenWindow window = newest;
        while (window.start != start) {
            before = window;
            window = window.next;
        }
        out.collect(new Count(context.getCurrentKey(), start, window.users.size()));
        if (before != null) {
            before.next = window.next;
        } else if (window.next != null) {
            state.update(window.next);
        } else {
            state.clear();
        }
    }

    /** A list of one or two, newest first. */
    static final class OpenWindow {
        final long start;
        final UserSet users = new UserSet();
        OpenWindow next;

        OpenWindow(long start, OpenWindow next) {
            this.start = start;
            this.next = next;
        }
    }
}
