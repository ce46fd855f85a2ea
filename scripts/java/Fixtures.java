import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.util.Base64;
import java.util.Locale;
import java.util.Random;
import java.util.zip.Deflater;

import org.HdrHistogram.Histogram;
import org.HdrHistogram.HistogramLogWriter;

/**
 * Writes the interval logs that the tests of `latency` read, with the Java HdrHistogram library.
 *
 * Encodings V0 and V1 are no longer written by the library, which still reads them: their bytes are laid
 * out here, and the library's own processor tells what they mean.
 */
public class Fixtures {
    private static final double START_S = 1700000000.127;

    public static void main(String[] args) throws IOException {
        String dir = args[0];
        if (args.length > 1) {
            big(dir, Long.parseLong(args[1]));
            return;
        }
        plain(dir + "/plain.hlog", 3, 30, 1);
        plain(dir + "/two_digits.hlog", 2, 8, 2);
        plain(dir + "/five_digits.hlog", 5, 3, 3);
        tagged(dir + "/tagged.hlog");
        absolute(dir + "/absolute.hlog");
        uncompressed(dir + "/v2_uncompressed.hlog");
        old(dir + "/v1.hlog", false);
        old(dir + "/v0.hlog", true);
        tiny(dir + "/tiny.hlog");
    }

    /** Lognormal latencies around 20 us with a rare stall. */
    private static void fill(Histogram histogram, Random random, int count) {
        for (int k = 0; k < count; k++) {
            long value = (long) (20000 * Math.exp(random.nextGaussian() * 0.5));
            if (random.nextInt(2000) == 0) {
                value += random.nextInt(40000000);
            }
            histogram.recordValue(Math.min(value, histogram.getHighestTrackableValue()));
        }
    }

    private static HistogramLogWriter begin(String file, double base) throws IOException {
        HistogramLogWriter writer = new HistogramLogWriter(file);
        writer.outputComment("[Logged with Fixtures.java]");
        writer.outputLogFormatVersion();
        writer.outputStartTime((long) (START_S * 1000));
        if (base > 0) {
            writer.outputBaseTime((long) (base * 1000));
            writer.setBaseTime((long) (base * 1000));
        }
        writer.outputComment("[Rate: 5000/s offered, 4998/s achieved]");
        writer.outputLegend();
        return writer;
    }

    private static void stamp(Histogram histogram, int second) {
        long start = (long) (START_S * 1000) + second * 1000L + 3 * second;
        histogram.setStartTimeStamp(start);
        histogram.setEndTimeStamp(start + 1003);
    }

    private static void plain(String file, int digits, int seconds, long seed) throws IOException {
        Random random = new Random(seed);
        HistogramLogWriter writer = begin(file, START_S);
        for (int second = 0; second < seconds; second++) {
            Histogram histogram = new Histogram(1, 3600000000000L, digits);
            fill(histogram, random, second == 4 ? 0 : 500);
            stamp(histogram, second);
            writer.outputIntervalHistogram(histogram);
        }
        writer.close();
    }

    private static void tagged(String file) throws IOException {
        Random random = new Random(7);
        HistogramLogWriter writer = begin(file, START_S);
        String[] tags = {null, "dispatch", "queue:maker", "h\u00e4ndle=\"x\"", "queue:taker"};
        for (int second = 0; second < 12; second++) {
            for (int tag = 0; tag < tags.length; tag++) {
                Histogram histogram = new Histogram(1, 60000000000L, 3);
                fill(histogram, random, 100 + 50 * tag);
                histogram.setTag(tags[tag]);
                stamp(histogram, second);
                writer.outputIntervalHistogram(histogram);
            }
        }
        writer.close();
    }

    /** Without a base time: the times in the lines are absolute. The histograms grow. */
    private static void absolute(String file) throws IOException {
        Random random = new Random(11);
        HistogramLogWriter writer = begin(file, 0);
        for (int second = 0; second < 6; second++) {
            Histogram histogram = new Histogram(3);
            for (int k = 0; k < 300; k++) {
                histogram.recordValue(1 + random.nextInt(100 << (3 * second)));
            }
            stamp(histogram, second);
            writer.outputIntervalHistogram(histogram);
        }
        writer.close();
    }

    private static PrintStream bare(String file) throws IOException {
        PrintStream out = new PrintStream(new FileOutputStream(file), false, "UTF-8");
        out.print("#[Logged with Fixtures.java]\n");
        out.printf(Locale.US, "#[StartTime: %.3f (seconds since epoch), by hand]\n", START_S);
        out.printf(Locale.US, "#[BaseTime: %.3f (seconds since epoch)]\n", START_S);
        out.print("\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",");
        out.print("\"Interval_Compressed_Histogram\"\n");
        return out;
    }

    private static void line(PrintStream out, int second, Histogram histogram, byte[] bytes) {
        out.printf(Locale.US, "%d.000,1.000,%.3f,%s\n", second, histogram.getMaxValue() / 1e6,
                Base64.getEncoder().encodeToString(bytes));
    }

    private static byte[] deflated(int cookie, byte[] inner) {
        Deflater deflater = new Deflater();
        deflater.setInput(inner);
        deflater.finish();
        byte[] buffer = new byte[inner.length + 100];
        int length = deflater.deflate(buffer);
        ByteBuffer bytes = ByteBuffer.allocate(length + 8);
        bytes.putInt(cookie).putInt(length).put(buffer, 0, length);
        return bytes.array();
    }

    private static void uncompressed(String file) throws IOException {
        Random random = new Random(13);
        PrintStream out = bare(file);
        for (int second = 0; second < 3; second++) {
            Histogram histogram = new Histogram(1, 10000000L, 2);
            fill(histogram, random, 200);
            ByteBuffer bytes = ByteBuffer.allocate(histogram.getNeededByteBufferCapacity());
            int length = histogram.encodeIntoByteBuffer(bytes);
            byte[] exact = new byte[length];
            System.arraycopy(bytes.array(), 0, exact, 0, length);
            line(out, second, histogram, exact);
        }
        out.close();
    }

    private static void old(String file, boolean v0) throws IOException {
        Random random = new Random(17);
        PrintStream out = bare(file);
        int[] sizes = {2, 4, 8};
        for (int second = 0; second < 6; second++) {
            // The library reads V0 with words of eight bytes only.
            int size = v0 ? 8 : sizes[second % 3];
            Histogram histogram = new Histogram(1, 1000000000L, 2);
            fill(histogram, random, 300);
            line(out, second, histogram, deflated((v0 ? 0x1c849309 : 0x1c849302) | size << 4,
                    words(histogram, size, v0)));
        }
        out.close();
    }

    private static byte[] words(Histogram histogram, int size, boolean v0) {
        long highest = histogram.getMaxValue();
        java.util.ArrayList<Long> counts = new java.util.ArrayList<>();
        for (long value = 0; value <= highest; value = histogram.nextNonEquivalentValue(value)) {
            counts.add(histogram.getCountAtValue(value));
        }
        int payload = counts.size() * size;
        ByteBuffer bytes = ByteBuffer.allocate((v0 ? 32 : 40) + payload);
        int digits = histogram.getNumberOfSignificantValueDigits();
        if (v0) {
            bytes.putInt(0x1c849308 | size << 4).putInt(digits);
            bytes.putLong(1).putLong(histogram.getHighestTrackableValue());
            bytes.putLong(histogram.getTotalCount());
        } else {
            bytes.putInt(0x1c849301 | size << 4).putInt(payload).putInt(0).putInt(digits);
            bytes.putLong(1).putLong(histogram.getHighestTrackableValue()).putDouble(1.0);
        }
        for (long count : counts) {
            switch (size) {
                case 2: bytes.putShort((short) count); break;
                case 4: bytes.putInt((int) count); break;
                default: bytes.putLong(count);
            }
        }
        return bytes.array();
    }

    /** Values whose thousandths are halves, where roundings differ. */
    private static void tiny(String file) throws IOException {
        HistogramLogWriter writer = begin(file, START_S);
        for (int second = 0; second < 3; second++) {
            Histogram histogram = new Histogram(1, 1000000000L, 5);
            for (long value = 500; value < 20000; value += 1000) {
                histogram.recordValueWithCount(value, 1 + second * value % 7);
            }
            stamp(histogram, second);
            writer.outputIntervalHistogram(histogram);
        }
        writer.close();
    }

    /** A log of about this many bytes, for measuring: five series, 20,000 values a second each. */
    private static void big(String file, long bytes) throws IOException {
        Random random = new Random(19);
        FileOutputStream stream = new FileOutputStream(file);
        HistogramLogWriter writer = new HistogramLogWriter(stream);
        writer.outputLogFormatVersion();
        writer.outputStartTime((long) (START_S * 1000));
        writer.outputBaseTime((long) (START_S * 1000));
        writer.setBaseTime((long) (START_S * 1000));
        writer.outputLegend();
        String[] tags = {null, "dispatch", "queue:maker", "handle:maker", "tick_to_trade:maker"};
        Histogram[] pool = new Histogram[200];
        for (int k = 0; k < pool.length; k++) {
            pool[k] = new Histogram(1, 3600000000000L, 3);
            fill(pool[k], random, 20000);
        }
        for (int second = 0; stream.getChannel().position() < bytes; second++) {
            for (int tag = 0; tag < tags.length; tag++) {
                Histogram histogram = pool[random.nextInt(pool.length)];
                histogram.setTag(tags[tag]);
                long start = (long) (START_S * 1000) + second * 1000L;
                histogram.setStartTimeStamp(start);
                histogram.setEndTimeStamp(start + 1000);
                writer.outputIntervalHistogram(histogram);
            }
        }
        writer.close();
    }
}
