import io.camunda.zeebe.client.ZeebeClient;
import io.camunda.zeebe.client.api.response.ActivatedJob;
import io.camunda.zeebe.client.api.worker.JobClient;
import java.io.FileOutputStream;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;

/** The client `java`: the engine's own, with its defaults, streaming; told like every other client. */
public final class BenchWorker {
  private final FileOutputStream calls;
  private final long blockMs;

  private BenchWorker(FileOutputStream calls, long blockMs) {
    this.calls = calls;
    this.blockMs = blockMs;
  }

  public static void main(String[] arguments) throws Exception {
    Map<String, String> given = new HashMap<>();
    for (int at = 0; at + 1 < arguments.length; at += 2) {
      given.put(arguments[at], arguments[at + 1]);
    }
    long blockMs = Long.parseLong(given.get("--block-ms"));
    int atOnce = Integer.parseInt(given.get("--at-once"));
    Duration lease = Duration.ofMillis(Long.parseLong(given.get("--lease-ms")));
    BenchWorker worker = new BenchWorker(new FileOutputStream(given.get("--calls"), true), blockMs);
    ZeebeClient client =
        ZeebeClient.newClientBuilder()
            .grpcAddress(URI.create("http://" + given.get("--address")))
            .usePlaintext()
            // One thread is the default, and enough for handlers that do not block.
            .numJobWorkerExecutionThreads(blockMs > 0 ? atOnce : 1)
            .build();
    for (String taskType : given.get("--task-types").split(",")) {
      client
          .newWorker()
          .jobType(taskType)
          .handler(worker::handle)
          .name("java")
          .timeout(lease)
          .fetchVariables("journey_id")
          .streamEnabled(true)
          .open();
    }
    Thread.currentThread().join();
  }

  private void handle(JobClient client, ActivatedJob job) throws Exception {
    if (blockMs > 0) {
      Thread.sleep(blockMs);
    }
    note(String.valueOf(job.getVariable("journey_id")), job.getElementId());
    // Without waiting for the answer: the thread is free for the next job, which is the best this client can do.
    client
        .newCompleteCommand(job.getKey())
        .send()
        .whenComplete(
            (done, error) -> {
              if (error != null) {
                System.err.println("not completed: " + job.getKey() + " " + error);
              }
            });
  }

  private void note(String journeyId, String elementId) throws IOException {
    Instant now = Instant.now();
    long endedNs = now.getEpochSecond() * 1_000_000_000L + now.getNano();
    byte[] line = (journeyId + "\t" + elementId + "\t" + endedNs + "\n").getBytes(StandardCharsets.UTF_8);
    synchronized (calls) {
      calls.write(line);
    }
  }
}
