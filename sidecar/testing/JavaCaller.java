// For tests: what Java's own HTTP client does where nobody tells it which HTTP to speak. Prints version, status and body of each answer.
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;

public class JavaCaller {
    public static void main(String[] args) throws Exception {
        var client = HttpClient.newHttpClient();
        var to = HttpRequest.newBuilder(URI.create(args[0]));
        print(client.send(to.POST(BodyPublishers.ofString("a first body")).build(), BodyHandlers.ofString()));
        print(client.send(to.GET().build(), BodyHandlers.ofString()));
        print(client.send(to.POST(BodyPublishers.ofString("another body")).build(), BodyHandlers.ofString()));
        var answers = IntStream.range(0, 20)
            .mapToObj(i -> to.POST(BodyPublishers.ofString("body " + i)).build())
            .map(request -> client.sendAsync(request, BodyHandlers.ofString()))
            .toList();
        for (CompletableFuture<HttpResponse<String>> answer : answers) print(answer.get());
    }

    private static void print(HttpResponse<String> answer) {
        System.out.println(answer.version() + " " + answer.statusCode() + " " + answer.body());
    }
}
