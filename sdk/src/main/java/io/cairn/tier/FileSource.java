// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import io.cairn.image.FileOperations;
import io.cairn.image.InputFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;

/** Bytes of a file, from some offset on. */
final class FileSource implements Outflow.Source {
  private final Path file;
  private final InputFile in;
  private final long from;

  private FileSource(Path file, InputFile in, long from) {
    this.file = file;
    this.in = in;
    this.from = from;
  }

  static FileSource open(FileOperations files, Path file, long from) throws IOException {
    return new FileSource(file, files.open(file), from);
  }

  @Override
  public void read(long offset, ByteBuffer destination) throws IOException {
    FileOperations.readFully(in, file, destination, from + offset);
  }

  @Override
  public void close() throws IOException {
    in.close();
  }
}
