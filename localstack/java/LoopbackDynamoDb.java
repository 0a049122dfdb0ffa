import com.amazonaws.services.dynamodbv2.local.main.ServerRunner;
import com.amazonaws.services.dynamodbv2.local.server.DynamoDBProxyServer;
import java.lang.reflect.Field;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;

/**
 * Starts DynamoDB Local as its own main class does, but on the loopback address alone: it listens on every
 * interface and has no option for that. Written for Janino, which comes with Spark: no JDK is needed.
 */
public class LoopbackDynamoDb {
    public static void main(String[] args) throws Exception {
        DynamoDBProxyServer proxy = ServerRunner.createServerFromCommandLineArgs(args);
        Field field = DynamoDBProxyServer.class.getDeclaredField("server");
        field.setAccessible(true);
        Connector[] connectors = ((Server) field.get(proxy)).getConnectors();
        for (int i = 0; i < connectors.length; i++) {
            ((ServerConnector) connectors[i]).setHost("127.0.0.1");
        }
        proxy.start();
        proxy.join();
    }
}
