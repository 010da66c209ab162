// SPDX-License-Identifier: Apache-2.0
package io.cairn.natives;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Unpacks the native libraries from the jar and loads them. They land in a folder named by their
 * digest, which the ranks of a node share, below {@code java.io.tmpdir} and readable by this user
 * alone.
 */
public final class NativeLibraries {

  private static final String CORE = "libcairn-core.so";
  private static final String SHIM = "libcairn.so";

  /** What the jar holds; the last one is ISA-L, which the core asks for beside itself. */
  private static final List<String> FILES = List.of(CORE, SHIM, "libisal.so.2");

  private static Path unpacked; // null until the first of the two is loaded
  private static boolean coreLoaded;
  private static boolean shimLoaded;

  private NativeLibraries() {}

  /** Loads what needs no MPI: pages, erasure code and ledger. Loading again does nothing. */
  public static synchronized void loadCore() {
    if (!coreLoaded) {
      System.load(unpack().resolve(CORE).toString());
      coreLoaded = true;
    }
  }

  /**
   * Loads the shim and makes its symbols visible to libraries that are loaded later. To be called
   * before any class of package {@code mpi} is touched. Loading again does nothing.
   *
   * @throws UnsatisfiedLinkError if MPI isn't to be found; the message says what to do
   */
  public static synchronized void loadShim() {
    if (shimLoaded) {
      return;
    }
    loadCore();
    try {
      System.load(unpack().resolve(SHIM).toString());
    } catch (UnsatisfiedLinkError e) {
      UnsatisfiedLinkError clearer =
          new UnsatisfiedLinkError(
              "the MPI shim can't be loaded: "
                  + e.getMessage()
                  + "; is the Open MPI that Cairn was built with installed, and its library folder in LD_LIBRARY_PATH?");
      clearer.initCause(e);
      throw clearer;
    }
    shimLoaded = true;
  }

  private static Path unpack() {
    if (unpacked != null) {
      return unpacked;
    }
    String folder = "META-INF/native/linux-" + architecture() + "/";
    try {
      Map<String, byte[]> files = new LinkedHashMap<>();
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      for (String file : FILES) {
        byte[] bytes = resource(folder + file);
        files.put(file, bytes);
        digest.update(bytes);
      }
      String name = HexFormat.of().formatHex(digest.digest(), 0, 16);
      Path home = privateFolder(Path.of(System.getProperty("java.io.tmpdir")));
      Path target = home.resolve(name);
      if (!Files.isDirectory(target)) {
        publish(home, target, files);
      }
      for (Map.Entry<String, byte[]> file : files.entrySet()) {
        verify(target.resolve(file.getKey()), file.getValue());
      }
      unpacked = target;
      return target;
    } catch (IOException e) {
      throw new UncheckedIOException("the native libraries can't be unpacked: " + e, e);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  static Path privateFolder(Path temporary) throws IOException {
    Path folder = temporary.resolve("cairn-native-" + System.getProperty("user.name"));
    var onlyMe = PosixFilePermissions.fromString("rwx------");
    try {
      Files.createDirectory(folder, PosixFilePermissions.asFileAttribute(onlyMe));
    } catch (FileAlreadyExistsException e) {
      // Somebody else's folder, or one that others may write to, could hold anything.
      Set<PosixFilePermission> permissions =
          Files.getPosixFilePermissions(folder, LinkOption.NOFOLLOW_LINKS);
      Object me = Files.getAttribute(Path.of("/proc/self"), "unix:uid");
      Object owner = Files.getAttribute(folder, "unix:uid", LinkOption.NOFOLLOW_LINKS);
      if (!permissions.equals(onlyMe)
          || !owner.equals(me)
          || !Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)) {
        throw new IOException(
            folder
                + " belongs to user id "
                + owner
                + " with permissions "
                + PosixFilePermissions.toString(permissions)
                + "; expected "
                + me
                + " and rwx------. Remove it, or set another java.io.tmpdir");
      }
    }
    return folder;
  }

  /**
   * All ranks of a node may do this at once: each fills a folder of its own, the first rename wins.
   */
  private static void publish(Path home, Path target, Map<String, byte[]> files)
      throws IOException {
    Path pending = Files.createTempDirectory(home, "pending-");
    for (Map.Entry<String, byte[]> file : files.entrySet()) {
      write(pending.resolve(file.getKey()), file.getValue());
    }
    try {
      Files.move(pending, target, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      for (String file : files.keySet()) {
        Files.deleteIfExists(pending.resolve(file));
      }
      Files.deleteIfExists(pending);
      if (!Files.isDirectory(target)) {
        throw e;
      }
    }
  }

  private static void write(Path file, byte[] bytes) throws IOException {
    Files.write(file, bytes, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      channel.force(false); // a crash must not leave a short library under its final name
    }
  }

  private static void verify(Path file, byte[] expected) throws IOException {
    if (!MessageDigest.isEqual(Files.readAllBytes(file), expected)) {
      throw new IOException(
          file + " is not what this jar holds; remove its folder and start again");
    }
  }

  private static byte[] resource(String name) throws IOException {
    try (InputStream in = NativeLibraries.class.getClassLoader().getResourceAsStream(name)) {
      if (in == null) {
        throw new IOException(
            "no "
                + name
                + " on the class path: is cairn-sdk-native there, and built for this architecture?");
      }
      return in.readAllBytes();
    }
  }

  static String architecture() {
    String name = System.getProperty("os.arch");
    return name.equals("amd64") ? "x86_64" : name;
  }
}
