// SPDX-License-Identifier: Apache-2.0
package io.cairn;

import io.cairn.api.CairnOptions;
import io.cairn.api.MisuseException;
import io.cairn.image.ChronicleQuiet;
import io.cairn.natives.NativeLibraries;
import io.cairn.natives.NativePages;
import java.util.concurrent.atomic.AtomicBoolean;

/** Starts the session that the options ask for, in the order that MPI dictates. */
final class Sessions {

  private static final AtomicBoolean OPENED = new AtomicBoolean();
  private static final AtomicBoolean LOADED = new AtomicBoolean();

  private Sessions() {}

  static Cairn open(String[] args, CairnOptions programOptions) {
    CairnOptions options = programOptions.resolved();
    claim();
    ChronicleQuiet.ensure();
    if (!options.enabled()) {
      JavaMpi.init(args);
      return new Cairn(disabled(), true);
    }
    loadShim();
    JavaMpi.initThreadMultiple(args);
    return new Cairn(enabled(options), true);
  }

  static void load() {
    if (CairnOptions.defaults().resolved().enabled()) {
      loadShim();
    }
  }

  static Cairn attach(CairnOptions programOptions) {
    CairnOptions options = programOptions.resolved();
    if (options.enabled() && !LOADED.get()) {
      throw new MisuseException(
          "attach() without load(): Cairn sees no message unless Cairn.load() is called before any class of mpi.* is"
              + " touched; make it the first line of main, before MPI.Init");
    }
    if (!JavaMpi.isRunning()) {
      throw new MisuseException(
          "attach() outside of MPI; call it after MPI.Init and before MPI.Finalize");
    }
    claim();
    ChronicleQuiet.ensure();
    return new Cairn(options.enabled() ? enabled(options) : disabled(), false);
  }

  private static void claim() {
    if (OPENED.getAndSet(true)) {
      throw new MisuseException(
          "this process has a Cairn already; there is one for the whole life of a process");
    }
  }

  private static void loadShim() {
    NativeLibraries.loadShim();
    LOADED.set(true);
  }

  private static Session disabled() {
    NativeLibraries.loadCore();
    return new DisabledSession(new NativePages());
  }

  private static Session enabled(CairnOptions options) {
    return EnabledSession.start(options);
  }
}
