package footfall.flink;

import org.apache.flink.api.common.serialization.DeserializationSchema.InitializationContext;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/** A topic from its beginning up to where it ends when the job starts. */
final class KafkaTopic {
    private KafkaTopic() {}

    static KafkaSource<Event> source(String bootstrap, String topic) {
        return KafkaSource.<Event>builder()
                .setBootstrapServers(bootstrap)
                .setTopics(topic)
                .setStartingOffsets(OffsetsInitializer.earliest())
                .setBounded(OffsetsInitializer.latest())
                // What is there at the start is all there is to read.
                .setProperty("partition.discovery.interval.ms", "-1")
                .setDeserializer(new Deserializer())
                .build();
    }

    private static final class Deserializer implements KafkaRecordDeserializationSchema<Event> {
        private transient LineParser parser;
        private transient Event event;

        @Override
        public void open(InitializationContext context) {
            parser = new LineParser();
            event = new Event();
        }

        @Override
        public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Event> out) {
            byte[] line = record.value();
            if (line != null && parser.parse(line, 0, line.length, event)) {
                out.collect(event);
            } else {
                Malformed.count();
            }
        }

        @Override
        public TypeInformation<Event> getProducedType() {
            return EventType.INSTANCE;
        }
    }
}
