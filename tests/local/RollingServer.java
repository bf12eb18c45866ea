// DynamoDB Local, told by its standard input to do what takes hours otherwise: `roll` closes every
// open shard and opens its child, `age MILLIS` makes all records and iterators so much older. Each
// line is answered with `done`, or with what went wrong. The arguments are DynamoDB Local's own.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.Field;
import java.util.Map;
import software.amazon.dynamodb.services.local.main.ServerRunner;
import software.amazon.dynamodb.services.local.server.AbstractLocalDynamoDBServerHandler;
import software.amazon.dynamodb.services.local.server.DynamoDBProxyServer;
import software.amazon.dynamodb.services.local.server.LocalDynamoDBRequestHandler;
import software.amazon.dynamodb.services.local.shared.access.AmazonDynamoDBLocal;

public class RollingServer {
  public static void main(String[] arguments) throws Exception {
    DynamoDBProxyServer server = ServerRunner.createServerFromCommandLineArgs(arguments);
    server.start();
    // One engine for each access key and region; they stand in private fields, two levels down.
    Object handler = held(server, AbstractLocalDynamoDBServerHandler.class);
    Map<?, ?> engines = (Map<?, ?>) held(held(handler, LocalDynamoDBRequestHandler.class), Map.class);
    System.out.println("ready");
    BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
    for (String line = commands.readLine(); line != null; line = commands.readLine()) {
      System.out.println(outcome(engines, line.trim().split(" ")));
    }
    server.stop();
    System.exit(0);
  }

  private static String outcome(Map<?, ?> engines, String[] command) {
    try {
      for (Object each : engines.values()) {
        AmazonDynamoDBLocal engine = (AmazonDynamoDBLocal) each;
        switch (command[0]) {
          case "roll" -> engine.triggerShardRollovers();
          case "age" -> engine.dilateEventTimes(Long.parseLong(command[1]));
          default -> throw new IllegalArgumentException(command[0]);
        }
      }
      return "done";
    } catch (Throwable failure) {
      return "failed: " + failure;
    }
  }

  private static Object held(Object owner, Class<?> kind) throws IllegalAccessException {
    for (Class<?> at = owner.getClass(); at != null; at = at.getSuperclass()) {
      for (Field field : at.getDeclaredFields()) {
        field.setAccessible(true);
        Object value = field.get(owner);
        if (kind.isInstance(value)) {
          return value;
        }
      }
    }
    throw new IllegalStateException("there is no " + kind + " in " + owner.getClass());
  }
}
