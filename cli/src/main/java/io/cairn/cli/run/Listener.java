// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli.run;

import java.io.BufferedInputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.Semaphore;
import java.util.function.BiConsumer;

/**
 * Where rank 0 reports to. Each launch has a token of its own; whoever doesn't know the current one
 * is hung up on, and nothing that is sent here is believed further than {@link Report#parse}.
 */
final class Listener implements Closeable {
  private static final String GREETING = "cairn-reports 1 ";
  private static final int LONGEST_LINE = 8 * 1024;
  private static final int GREETING_TIMEOUT_MILLIS = 5_000;
  private static final int TOKEN_BYTES = 16;

  /** Connections at a time; a launch has one. */
  private static final int MOST_CONNECTIONS = 16;

  private final ServerSocket server;
  private final boolean local;
  private final Random random;
  private final BiConsumer<Integer, Report> reports;
  private final Semaphore connections = new Semaphore(MOST_CONNECTIONS);

  private int launch;
  private String token = "";

  /**
   * Listens from now on.
   *
   * @param local whether all ranks are on this machine
   * @param reports told of each, with its launch; on any thread
   */
  Listener(boolean local, Random random, BiConsumer<Integer, Report> reports) throws IOException {
    this.local = local;
    this.random = random;
    this.reports = reports;
    server = new ServerSocket();
    server.bind(
        local
            ? new InetSocketAddress(InetAddress.getByAddress(new byte[] {127, 0, 0, 1}), 0)
            : new InetSocketAddress(0));
    Thread thread = new Thread(this::accept, "listener");
    thread.setDaemon(true);
    thread.start();
  }

  /** What the ranks need to know: all addresses that this machine may be reached by. */
  String address() throws IOException {
    List<String> addresses = new ArrayList<>();
    if (local) {
      addresses.add("127.0.0.1");
    } else {
      for (NetworkInterface network : Collections.list(NetworkInterface.getNetworkInterfaces())) {
        if (network.isUp() && !network.isLoopback()) {
          network
              .inetAddresses()
              .filter(address -> !address.isLinkLocalAddress())
              .map(InetAddress::getHostAddress)
              // With colons in it: the other end takes the last one for the port's.
              .map(text -> text.contains("%") ? text.substring(0, text.indexOf('%')) : text)
              .forEach(addresses::add);
        }
      }
      addresses.sort((a, b) -> Boolean.compare(a.contains(":"), b.contains(":")));
      addresses.add("127.0.0.1");
    }
    return String.join(",", addresses) + ":" + server.getLocalPort();
  }

  /** A new launch, and its token. */
  synchronized String expect(int launch) {
    byte[] bytes = new byte[TOKEN_BYTES];
    random.nextBytes(bytes);
    this.launch = launch;
    token = HexFormat.of().formatHex(bytes);
    return token;
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
    Optional<String> greeting = line(in);
    int launch = greeting.isPresent() ? launchOf(greeting.get()) : 0;
    if (launch == 0) {
      return;
    }
    socket.setSoTimeout(0);
    for (Optional<String> line = line(in); line.isPresent(); line = line(in)) {
      Report.parse(line.get()).ifPresent(report -> reports.accept(launch, report));
    }
  }

  private synchronized int launchOf(String greeting) {
    boolean known =
        MessageDigest.isEqual(
            greeting.getBytes(StandardCharsets.UTF_8),
            (GREETING + token).getBytes(StandardCharsets.UTF_8));
    return known && !token.isEmpty() ? launch : 0;
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
