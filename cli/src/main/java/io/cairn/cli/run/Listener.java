// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli.run;

import java.io.BufferedInputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.Semaphore;
import java.util.function.BiConsumer;

/**
 * Where rank 0 reports to, and where ranks ask whether their launch is still wanted. Each launch
 * has a token of its own; whoever knows none is hung up on, and nothing that is sent here is
 * believed further than {@link Report#parse}.
 *
 * <pre>
 * Reports  --> "cairn-reports 1 " Token "\n" (Report "\n")*
 * Question --> "cairn-current 1 " Token "\n", answered by "current\n" or "over\n"; then, if it is
 *              over and the process ends itself: Text "\n"
 * </pre>
 */
final class Listener implements Closeable {
  private static final String REPORTS = "cairn-reports 1 ";
  private static final String QUESTION = "cairn-current 1 ";
  private static final String CURRENT = "current\n";
  private static final String OVER = "over\n";
  private static final int DISCARD_PORT = 9;
  private static final int LONGEST_LINE = 8 * 1024;
  private static final int GREETING_TIMEOUT_MILLIS = 5_000;
  private static final int TOKEN_BYTES = 16;

  /** Connections at a time; a launch has one, and those that ask are short. */
  private static final int MOST_CONNECTIONS = 128;

  private static final int LONGEST_TEXT = 200;

  private final ServerSocket server;
  private final List<String> hosts;
  private final Random random;
  private final BiConsumer<Integer, Report> reports;
  private final BiConsumer<Integer, String> stranded;
  private final Semaphore connections = new Semaphore(MOST_CONNECTIONS);

  private final Map<String, Integer> launches = new HashMap<>();
  private int current;

  /**
   * Listens from now on.
   *
   * @param hosts that ranks may be on; none if all are on this machine
   * @param reports told of each, with its launch; on any thread
   * @param stranded told of each process that ends itself, with its launch
   */
  Listener(
      List<String> hosts,
      Random random,
      BiConsumer<Integer, Report> reports,
      BiConsumer<Integer, String> stranded)
      throws IOException {
    this.hosts = List.copyOf(hosts);
    this.random = random;
    this.reports = reports;
    this.stranded = stranded;
    server = new ServerSocket();
    server.bind(
        hosts.isEmpty()
            ? new InetSocketAddress(InetAddress.getByAddress(new byte[] {127, 0, 0, 1}), 0)
            : new InetSocketAddress(0));
    Thread thread = new Thread(this::accept, "listener");
    thread.setDaemon(true);
    thread.start();
  }

  /**
   * What the ranks need to know: all addresses that this machine may be reached by, and first those
   * that it has on the way to the hosts.
   */
  String address() throws IOException {
    LinkedHashSet<String> addresses = new LinkedHashSet<>();
    if (!hosts.isEmpty()) {
      hosts.forEach(host -> towards(host).ifPresent(addresses::add));
      List<String> others = new ArrayList<>();
      for (NetworkInterface network : Collections.list(NetworkInterface.getNetworkInterfaces())) {
        if (network.isUp() && !network.isLoopback()) {
          network
              .inetAddresses()
              .filter(address -> !address.isLinkLocalAddress())
              .map(InetAddress::getHostAddress)
              // With colons in it: the other end takes the last one for the port's.
              .map(text -> text.contains("%") ? text.substring(0, text.indexOf('%')) : text)
              .forEach(others::add);
        }
      }
      others.sort((a, b) -> Boolean.compare(a.contains(":"), b.contains(":")));
      addresses.addAll(others);
    }
    addresses.add("127.0.0.1");
    return String.join(",", addresses) + ":" + server.getLocalPort();
  }

  /** Sends nothing: a datagram socket that is connected knows its own address. */
  private static Optional<String> towards(String host) {
    try (DatagramSocket socket = new DatagramSocket()) {
      socket.connect(InetAddress.getByName(host.substring(host.indexOf('@') + 1)), DISCARD_PORT);
      InetAddress own = socket.getLocalAddress();
      return own.isAnyLocalAddress() || own.isLoopbackAddress() || own.isLinkLocalAddress()
          ? Optional.empty()
          : Optional.of(own.getHostAddress());
    } catch (IOException | RuntimeException e) {
      return Optional.empty(); // A name that only the remote agent knows.
    }
  }

  /** A new launch, and its token. */
  synchronized String expect(int launch) {
    byte[] bytes = new byte[TOKEN_BYTES];
    random.nextBytes(bytes);
    String token = HexFormat.of().formatHex(bytes);
    launches.put(token, launch);
    current = launch;
    return token;
  }

  /** The launch is over: it reports nothing that matters, and whoever is left of it may know. */
  synchronized void disown(int launch) {
    if (current == launch) {
      current = 0;
    }
  }

  private void accept() {
    while (!server.isClosed()) {
      try {
        Socket socket = server.accept();
        if (!connections.tryAcquire()) {
          socket.close();
          continue;
        }
        Thread thread =
            new Thread(
                () -> {
                  try (socket) {
                    serve(socket);
                  } catch (IOException e) {
                    // It reports again, if it lives.
                  } finally {
                    connections.release();
                  }
                },
                "reports");
        thread.setDaemon(true);
        thread.start();
      } catch (IOException e) {
        // Closed, or out of descriptors for a moment.
      }
    }
  }

  private void serve(Socket socket) throws IOException {
    socket.setSoTimeout(GREETING_TIMEOUT_MILLIS);
    InputStream in = new BufferedInputStream(socket.getInputStream());
    String greeting = line(in).orElse("");
    if (greeting.startsWith(QUESTION)) {
      answer(socket, in, launchOf(greeting.substring(QUESTION.length())));
      return;
    }
    int launch = greeting.startsWith(REPORTS) ? launchOf(greeting.substring(REPORTS.length())) : 0;
    if (launch == 0 || launch != current()) {
      return;
    }
    socket.setSoTimeout(0);
    for (Optional<String> line = line(in); line.isPresent(); line = line(in)) {
      Report.parse(line.get()).ifPresent(report -> reports.accept(launch, report));
    }
  }

  private void answer(Socket socket, InputStream in, int launch) throws IOException {
    if (launch == 0) {
      return;
    }
    boolean wanted = launch == current();
    socket.getOutputStream().write((wanted ? CURRENT : OVER).getBytes(StandardCharsets.US_ASCII));
    if (!wanted) {
      line(in).map(Listener::printable).ifPresent(who -> stranded.accept(launch, who));
    }
  }

  private static String printable(String text) {
    String clean = text.replaceAll("[^\\x20-\\x7e]", "?");
    return clean.substring(0, Math.min(clean.length(), LONGEST_TEXT));
  }

  private synchronized int current() {
    return current;
  }

  /** 0 if nobody knows this token. */
  private synchronized int launchOf(String token) {
    int found = 0;
    for (Map.Entry<String, Integer> known : launches.entrySet()) {
      if (MessageDigest.isEqual(
          token.getBytes(StandardCharsets.UTF_8),
          known.getKey().getBytes(StandardCharsets.UTF_8))) {
        found = known.getValue();
      }
    }
    return found;
  }

  /** Empty at the stream's end, and for a line that is too long. */
  private static Optional<String> line(InputStream in) throws IOException {
    StringBuilder line = new StringBuilder();
    for (int c = in.read(); c != '\n'; c = in.read()) {
      if (c < 0 || line.length() >= LONGEST_LINE) {
        return Optional.empty();
      }
      line.append((char) c);
    }
    return Optional.of(line.toString());
  }

  @Override
  public void close() throws IOException {
    server.close();
  }
}
