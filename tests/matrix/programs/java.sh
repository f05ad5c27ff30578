# javac and java: threads, sockets, a selector, mapped files, a child, garbage, null pointers.
# Without -XX:-UsePerfData a JVM lists what others left in /tmp, another input of every universe.
# needs: javac java
cat >Work.java <<'JAVA'
import java.io.*;
import java.net.*;
import java.nio.*;
import java.nio.channels.*;
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import java.util.stream.*;

public class Work {
    record Point(int x, int y) { }

    static void sockets(ExecutorService pool) throws Exception {
        ServerSocket server = new ServerSocket(0, 5, InetAddress.getByName("127.0.0.1"));
        pool.submit(() -> {
            for (int i = 0; i < 5; i++) {
                try (Socket s = server.accept()) {
                    s.getOutputStream().write(("hi " + i + "\n").getBytes());
                }
            }
            return 0;
        });
        for (int i = 0; i < 5; i++) {
            try (Socket s = new Socket("127.0.0.1", server.getLocalPort())) {
                System.out.println(
                    new BufferedReader(new InputStreamReader(s.getInputStream())).readLine());
            }
        }
    }

    static void mapped() throws Exception {
        Path p = Paths.get("mapped");
        Files.write(p, new byte[10000]);
        try (FileChannel f = FileChannel.open(p, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            MappedByteBuffer m = f.map(FileChannel.MapMode.READ_WRITE, 0, 8192);
            m.put(4096, (byte) 7);
            m.force();
        }
        System.out.println(Files.readAllBytes(p)[4096]);
    }

    static void selector() throws Exception {
        try (Selector sel = Selector.open(); ServerSocketChannel ss = ServerSocketChannel.open()) {
            ss.bind(new InetSocketAddress("127.0.0.1", 0));
            ss.configureBlocking(false);
            ss.register(sel, SelectionKey.OP_ACCEPT);
            System.out.println("selected " + sel.select(50));
        }
    }

    public static void main(String[] args) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(4);
        sockets(pool);
        mapped();
        selector();
        AtomicLong sum = new AtomicLong();
        CountDownLatch done = new CountDownLatch(8);
        for (int i = 0; i < 8; i++) {
            pool.submit(() -> {
                for (int n = 0; n < 100000; n++) sum.incrementAndGet();
                done.countDown();
            });
        }
        done.await();
        System.out.println(sum + " " + IntStream.range(0, 100000).parallel().sum());
        pool.shutdown();
        System.out.println(pool.awaitTermination(5, TimeUnit.SECONDS));
        Process child = new ProcessBuilder("echo", "child").start();
        System.out.print(new String(child.getInputStream().readAllBytes()));
        System.out.println(child.waitFor());
        List<byte[]> kept = new ArrayList<>();
        for (int i = 0; i < 2000; i++) if (kept.size() < 50) kept.add(new byte[1 << 16]); else kept.clear();
        System.gc();
        String none = args.length > 5 ? "x" : null;
        try { none.length(); } catch (NullPointerException e) { System.out.println("npe"); }
        try { deep(0); } catch (StackOverflowError e) { System.out.println("deep"); }
        System.out.println(new Point(1, 2));
    }

    static int deep(int n) { return deep(n + 1) + 1; }
}
JAVA
javac -J-XX:-UsePerfData Work.java
java -XX:-UsePerfData -Xmx256m Work
