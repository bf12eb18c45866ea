// DynamoDB Local, told by its standard input to do what takes hours otherwise: `roll` closes every
// open shard and opens its child, `age MILLIS` makes all records and iterators so much older. Each
// line is answered with `done`, or with what went wrong. The arguments are DynamoDB Local's own.
//
// Its classes are found by name: versions before 3 have them in another package.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.Field;
import java.util.List;
import java.util.Map;

public class RollingServer {
  private static final List<String> PACKAGES =
      List.of("software.amazon.dynamodb.services.local", "com.amazonaws.services.dynamodbv2.local");

  public static void main(String[] arguments) throws Exception {
    Class<?> runner = found("main.ServerRunner");
    Object server =
        runner.getMethod("createServerFromCommandLineArgs", String[].class).invoke(null, (Object) arguments);
    server.getClass().getMethod("start").invoke(server);
    // One engine for each access key and region; they stand in private fields, two levels down.
    Object handler = held(server, found("server.AbstractLocalDynamoDBServerHandler"));
    Object requests = held(handler, found("server.LocalDynamoDBRequestHandler"));
    Map<?, ?> engines = (Map<?, ?>) held(requests, Map.class);
    System.out.println("ready");
    BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
    for (String line = commands.readLine(); line != null; line = commands.readLine()) {
      System.out.println(outcome(engines, line.trim().split(" ")));
    }
    System.exit(0);
  }

  private static String outcome(Map<?, ?> engines, String[] command) {
    try {
      Class<?> engine = found("shared.access.AmazonDynamoDBLocal");
      for (Object each : engines.values()) {
        switch (command[0]) {
          case "roll" -> engine.getMethod("triggerShardRollovers").invoke(each);
          case "age" -> engine.getMethod("dilateEventTimes", long.class)
              .invoke(each, Long.parseLong(command[1]));
          default -> throw new IllegalArgumentException(command[0]);
        }
      }
      return "done";
    } catch (Throwable failure) {
      return "failed: " + (failure.getCause() == null ? failure : failure.getCause());
    }
  }

  private static Class<?> found(String name) throws ClassNotFoundException {
    for (String place : PACKAGES) {
      try {
        return Class.forName(place + "." + name);
      } catch (ClassNotFoundException missing) {
        // it is in the other one
      }
    }
    throw new ClassNotFoundException(name);
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
