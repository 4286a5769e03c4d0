package footfall.flink;

import java.time.Duration;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** Starts one job in this process and ends when it has written all of its rows. */
public final class Main {
    private static final Duration OUT_OF_ORDERNESS = Duration.ofSeconds(10);

    private Main() {}

    public static void main(String[] args) throws Exception {
        Arguments arguments;
        try {
            arguments = Arguments.parse(args);
        } catch (IllegalArgumentException e) {
            System.err.println("flink: " + e.getMessage());
            System.exit(64);
            return;
        }
        StreamExecutionEnvironment env = environment(arguments.parallelism());
        DataStream<Count> counts = switch (arguments.variant()) {
            case "datastream" -> uniqueUsers(events(env, new PartitionedFiles(arguments.files())));
            case "kafka" -> uniqueUsers(events(env, KafkaTopic.source(arguments.bootstrap(), arguments.topic())));
            case "sql" -> Sql.uniqueUsers(env, events(env, new PartitionedFiles(arguments.files())));
            default -> throw new IllegalStateException(arguments.variant());
        };
        counts.sinkTo(new TsvSink(arguments.output())).name("rows");
        env.execute("footfall " + arguments.variant());
        System.err.println("flink: " + Malformed.lines() + " malformed lines skipped");
    }

    /** Checkpoints are off and state lies on the heap: Flink's defaults. */
    private static StreamExecutionEnvironment environment(int parallelism) {
        var configuration = new Configuration();
        configuration.set(TaskManagerOptions.MANAGED_MEMORY_SIZE, MemorySize.ofMebiBytes(256));
        var env = StreamExecutionEnvironment.createLocalEnvironment(parallelism, configuration);
        env.getConfig().enableObjectReuse();
        // A buffer is sent when it is full, not after 100 ms: nobody waits for a row here.
        env.setBufferTimeout(-1);
        return env;
    }

    /** Both sources keep a watermark for each of their partitions; Flink takes the least of them. */
    private static DataStream<Event> events(StreamExecutionEnvironment env, Source<Event, ?, ?> source) {
        WatermarkStrategy<Event> watermarks = WatermarkStrategy.<Event>forBoundedOutOfOrderness(OUT_OF_ORDERNESS)
                .withTimestampAssigner((event, sourceTimestamp) -> event.timestamp);
        return env.fromSource(source, watermarks, "events", EventType.INSTANCE);
    }

    private static DataStream<Count> uniqueUsers(DataStream<Event> events) {
        return events.keyBy(event -> event.product).process(new UniqueUsers()).name("unique users");
    }
}
