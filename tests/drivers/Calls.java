// Makes the calls of a file by pgjdbc; what each brought goes to standard output. See drivers.t.
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Types;
import java.time.OffsetDateTime;
import org.postgresql.util.PGInterval;

class Calls {
    private static void set(PreparedStatement statement, int n, String parameter) throws SQLException {
        int equals = parameter.indexOf('=');
        String kind = parameter.substring(0, equals);
        String text = parameter.substring(equals + 1).replace("\\n", "\n");
        boolean isNull = text.equals("\\N");
        switch (kind) {
            case "text" -> statement.setString(n, isNull ? null : text);
            case "text[]" -> statement.setArray(n, isNull ? null : statement.getConnection().createArrayOf("text", text.split(",")));
            case "boolean" -> statement.setBoolean(n, text.equals("true"));
            case "integer" -> { if (isNull) statement.setNull(n, Types.INTEGER); else statement.setInt(n, Integer.parseInt(text)); }
            case "bigint" -> statement.setLong(n, Long.parseLong(text));
            case "interval" -> statement.setObject(n, new PGInterval(text + " seconds"));
            case "timestamp with time zone" -> statement.setObject(n, OffsetDateTime.parse(text));
            default -> throw new SQLException("no way to send " + kind);
        }
    }

    // The rows, and whether one of them, of a plan, is of an index.
    private static String run(Connection connection, String[] call) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(call[2])) {
            for (int n = 3; n < call.length; n++)
                set(statement, n - 2, call[n]);
            int rows = 0;
            boolean index = false;
            try (ResultSet result = statement.executeQuery()) {
                while (result.next()) {
                    rows++;
                    index |= String.valueOf(result.getString(1)).contains("Index Cond");
                }
            }
            return rows + "\t" + (index ? "index" : "");
        }
    }

    public static void main(String[] arguments) throws Exception {
        try (Connection connection = DriverManager.getConnection(arguments[0])) {
            connection.setAutoCommit(false);
            for (String line : Files.readAllLines(Path.of(arguments[1]))) {
                String[] call = line.split("\t", -1);
                try (Statement role = connection.createStatement()) {
                    role.execute("SET LOCAL ROLE " + call[1]);
                    System.out.println(call[0] + "\t" + run(connection, call));
                } catch (SQLException error) {
                    System.out.println(call[0] + "\tfailed\t" + error.getMessage().replace('\n', ' '));
                }
                connection.rollback();
            }
        }
    }
}
