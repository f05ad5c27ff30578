/* Busy waits for another thread: on a volatile, and on a plain counter of rounds. */
public class Spins {
    static volatile boolean flag;

    public static void main(String[] args) throws Exception {
        Thread setter = new Thread(() -> {
            try {
                Thread.sleep(100);
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
            flag = true;
        });
        setter.start();
        long rounds = 0;
        while (!flag) {
            rounds++;
        }
        setter.join();
        System.out.println("java " + (rounds > 0));
    }
}
