import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;

public class Sockets {
    static void serve(ServerSocket listener, ExecutorService pool) {
        try {
            while (true) {
                Socket s = listener.accept();
                pool.submit(() -> {
                    try (s; BufferedReader in = new BufferedReader(
                                new InputStreamReader(s.getInputStream()));
                            PrintWriter out = new PrintWriter(s.getOutputStream(), true)) {
                        for (String line; (line = in.readLine()) != null;) {
                            out.println(line.toUpperCase());
                        }
                    }
                    return null;
                });
            }
        } catch (Exception closed) {
            return;
        }
    }

    static String ask(int port, int n) throws Exception {
        try (Socket s = new Socket(InetAddress.getLoopbackAddress(), port)) {
            PrintWriter out = new PrintWriter(s.getOutputStream(), true);
            BufferedReader in = new BufferedReader(new InputStreamReader(s.getInputStream()));
            out.println("hello " + n);
            return in.readLine();
        }
    }

    public static void main(String[] args) throws Exception {
        AtomicLong sum = new AtomicLong();
        List<Thread> threads = new ArrayList<>();
        for (int t = 0; t < 8; t++) {
            Thread thread = new Thread(() -> {
                for (int i = 0; i < 10000; i++) {
                    sum.addAndGet(i);
                }
            });
            threads.add(thread);
            thread.start();
        }
        for (Thread t : threads) {
            t.join();
        }
        System.out.println("sum " + sum);
        ExecutorService pool = Executors.newCachedThreadPool();
        ServerSocket listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        pool.submit(() -> serve(listener, pool));
        List<Future<String>> answers = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            int n = i;
            answers.add(pool.submit(() -> ask(listener.getLocalPort(), n)));
        }
        for (Future<String> a : answers) {
            System.out.println(a.get());
        }
        listener.close();
        pool.shutdown();
        StringBuilder garbage = new StringBuilder();
        for (int i = 0; i < 200000; i++) {
            garbage = new StringBuilder(garbage.length() > 1000 ? "" : garbage + "x");
        }
        System.gc();
        try {
            Object nothing = args.length > 5 ? "" : null;
            System.out.println(nothing.hashCode());
        } catch (NullPointerException e) {
            System.out.println("caught null");
        }
        Thread.sleep(100);
        System.out.println("done");
    }
}
