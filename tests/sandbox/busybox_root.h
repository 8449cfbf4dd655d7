/// A root file system of one static busybox, and steps run in it.
#pragma once
#include <stop_token>
#include <string>
#include <vector>

#include "libimage/io/path.h"
#include "libimage/sandbox/step_runner.h"

namespace lade::sandbox {

/// A plain directory with /bin/busybox, /bin/sh and a few applets; nothing else.
class BusyboxRoot {
 public:
  BusyboxRoot();
  [[nodiscard]] const std::string& path() const noexcept { return root_; }
  /// A path outside the root, beside it.
  [[nodiscard]] std::string beside(const std::string& name) const {
    return dir_.path() + "/" + name;
  }

 private:
  TempDir dir_;
  std::string root_;
};

/// An overlay over a BusyboxRoot with a new upper directory.
class OverlaidRoot {
 public:
  OverlaidRoot();
  [[nodiscard]] OverlayRoot overlay() const;
  [[nodiscard]] const std::string& lower() const noexcept { return base_.path(); }
  [[nodiscard]] std::string upper() const { return base_.beside("upper"); }
  [[nodiscard]] std::string work() const { return base_.beside("work"); }
  /// Everything in the upper directory, sorted: "etc/", "etc/hosts", "gone (whiteout)".
  [[nodiscard]] std::vector<std::string> changes() const;

 private:
  BusyboxRoot base_;
};

struct Ran {
  int status = -1;
  std::string output = {};
};

/// `sh -c script` with the default configuration in `root`.
RuntimeConfig shell_step(const Root& root, const std::string& script);
Ran run(const RuntimeConfig& step, const std::stop_token& stop = {});
Ran run_shell(const std::string& root, const std::string& script);

/// The lines of `text`.
std::vector<std::string> lines(const std::string& text);

void write_file(const std::string& path, const std::string& content, unsigned mode = 0644);

}  // namespace lade::sandbox
