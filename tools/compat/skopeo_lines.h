/// The lines that skopeo prints on standard output while it copies.
#pragma once
#include <mutex>
#include <string>
#include <vector>

#include "libimage/copy/copy.h"

#include "tools/compat/skopeo_access.h"

namespace lade::tools::compat {

/// Prints a plan's lines in their order, as far as the work has come.
class CopyLines final : public WarningLog {
 public:
  enum class Mode { quiet, shown };
  explicit CopyLines(Mode mode) : mode_(mode) {}

  /// Makes the lines of `plan`.
  void begin(const CopyPlan& plan);
  void notify(const ProgressEvent& event) noexcept override;
  /// Prints what is left: the work is done.
  void finish();

 private:
  struct Line {
    std::string text;
    std::string blob = {};  ///< printed when work on this blob begins; "": with the next one
  };
  void image_lines(const oci::Document& document);
  void print_until(std::size_t end);

  Mode mode_;
  std::mutex mutex_;
  std::vector<Line> lines_ = {};  // guarded by mutex_
  std::size_t printed_ = 0;       // guarded by mutex_
};

}  // namespace lade::tools::compat
