package footfall.flink;

import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.Schema;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;

/** The count as one statement. */
final class Sql {
    private static final String UNIQUE_USERS = """
            SELECT product_id, window_start, COUNT(DISTINCT user_id) AS unique_users
            FROM TUMBLE(TABLE events, DESCRIPTOR(event_time), INTERVAL '1' MINUTE)
            GROUP BY product_id, window_start, window_end
            """;

    private Sql() {}

    static DataStream<Count> uniqueUsers(StreamExecutionEnvironment env, DataStream<Event> events) {
        var tables = StreamTableEnvironment.create(env);
        // Hardly a user comes twice within a minute: to count in front of the exchange first costs more than it saves.
        tables.getConfig().set("table.optimizer.agg-phase-strategy", "ONE_PHASE");
        // Windows are cut, and their starts written, in this zone.
        tables.getConfig().set("table.local-time-zone", "UTC");
        tables.createTemporaryView("events", tables.fromDataStream(rows(events), Schema.newBuilder()
                .column("product_id", DataTypes.STRING())
                .column("user_id", DataTypes.STRING())
                .columnByMetadata("event_time", DataTypes.TIMESTAMP_LTZ(3), "rowtime")
                .watermark("event_time", "SOURCE_WATERMARK()")
                .build()));
        var query = tables.sqlQuery(UNIQUE_USERS);
        // Rows as the engine has them: nothing is converted to Java's types and back.
        DataType counts = DataTypes.ROW(
                DataTypes.FIELD("product_id", DataTypes.STRING()),
                DataTypes.FIELD("window_start", DataTypes.TIMESTAMP(3)),
                DataTypes.FIELD("unique_users", DataTypes.BIGINT())).bridgedTo(RowData.class);
        return tables.<RowData>toDataStream(query, counts)
                .map(row -> new Count(row.getString(0).toString(), row.getTimestamp(1, 3).getMillisecond(), row.getLong(2)))
                .returns(TypeInformation.of(Count.class));
    }

    /** What the same source and parser read, as rows of a table. */
    private static DataStream<RowData> rows(DataStream<Event> events) {
        RowType type = RowType.of(
                new LogicalType[] {
                    DataTypes.STRING().getLogicalType(), DataTypes.STRING().getLogicalType()
                },
                new String[] {"product_id", "user_id"});
        return events.map(new ToRow()).returns(InternalTypeInfo.of(type));
    }

    private static final class ToRow implements MapFunction<Event, RowData> {
        private transient GenericRowData row;

        @Override
        public RowData map(Event event) {
            if (row == null) row = new GenericRowData(2);
            row.setField(0, StringData.fromString(event.product));
            row.setField(1, event.user == ShortId.NONE
                    ? StringData.fromString(event.longUser)
                    : StringData.fromBytes(ShortId.bytes(event.user)));
            return row;
        }
    }
}
