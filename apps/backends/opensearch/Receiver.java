import java.nio.file.Path;
import org.codelibs.opensearch.runner.OpenSearchRunner;

/** One OpenSearch node, which ends with whoever has started it. Arguments: its folder, its HTTP port. */
public class Receiver {
  public static void main(String[] args) throws Exception {
    final var folder = Path.of(args[0]).toAbsolutePath().toString();
    final var runner = new OpenSearchRunner();
    runner.onBuild((number, settings) -> {
      settings.put("discovery.type", "single-node");
      settings.put("http.port", args[1]);
    });
    runner.build(OpenSearchRunner.newConfigs().numOfNode(1).basePath(folder).disableESLogger());
    // The end of standard input is the end of the parent, however it went.
    while (System.in.read() != -1) {}
    Runtime.getRuntime().halt(0);
  }
}
