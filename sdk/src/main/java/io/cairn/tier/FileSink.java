// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import io.cairn.image.FileOperations;
import io.cairn.image.OutputFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;

/** A new file. What a dead launch left under its name is deleted first. */
final class FileSink implements PieceSink {
  private final Path file;
  private final OutputFile out;

  private FileSink(Path file, OutputFile out) {
    this.file = file;
    this.out = out;
  }

  static FileSink create(FileOperations files, Path file) throws IOException {
    files.delete(file);
    return new FileSink(file, new GradualSync(files.create(file)));
  }

  @Override
  public void piece(ByteBuffer piece) throws IOException {
    try {
      FileOperations.writeFully(out, piece.duplicate());
    } catch (IOException e) {
      throw FileOperations.failed(file, "write", e);
    }
  }

  @Override
  public void finish() throws IOException {
    try {
      out.force();
    } catch (IOException e) {
      throw FileOperations.failed(file, "sync", e);
    }
  }

  @Override
  public void close() throws IOException {
    out.close();
  }
}
