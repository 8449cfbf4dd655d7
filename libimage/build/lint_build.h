/// The build checks of one build: run beside it, or instead of it.
#pragma once
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "libimage/build/build_run.h"
#include "libimage/build/lint.h"
#include "libimage/build/stage_graph.h"

namespace lade::build {

/// A linter for each target of the build, which outlives them. Throws what lint_settings() throws.
std::vector<Linter> linters_of(BuildRun& run);

/// Feeds linters with base images as they become known, and hands on what it finds: each stage
/// of the graph is checked once, as soon as what it starts from is known. Thread-safe.
class BuildLint {
 public:
  /// Told of each finding once, by one thread at a time.
  using Found = std::function<void(const LintWarning&)>;

  /// `linters` are linters_of() the build; they and the graph outlive the object.
  BuildLint(const std::vector<Linter>& linters, const StageGraph& graph, Found found);

  /// Checks the file as a whole.
  void check_file();
  /// Checks every stage that needs no image.
  void check_stages();
  /// Checks the stages that wait for image `index` of the graph.
  void image_known(std::size_t index, const oci::ImageConfig& config);

 private:
  [[nodiscard]] const LintBase* base_of(const GraphStage& stage) const;
  void advance();
  void tell(const std::vector<LintWarning>& warnings);

  const std::vector<Linter>& linters_;
  const StageGraph& graph_;
  Found found_;

  std::mutex mutex_;
  std::vector<std::optional<LintBase>> images_;                     // guarded by mutex_
  std::vector<std::optional<LintBase>> ends_;                       // guarded by mutex_
  std::set<std::tuple<std::string, LineRange, std::string>> told_;  // guarded by mutex_
};

/// Checks beside a build: findings are the observer's warnings.
class RunningLint {
 public:
  /// Checks the file, and the stages that need no image. Where the settings make findings errors,
  /// the configs of all base images are read first, and findings throw lint_error(). `run` and
  /// `graph` outlive the object.
  RunningLint(BuildRun& run, const StageGraph& graph);

  void image_known(std::size_t index, const oci::ImageConfig& config) {
    lint_.image_known(index, config);
  }

 private:
  const std::vector<Linter> linters_;
  std::vector<LintWarning> found_;
  BuildLint lint_;
};

/// What `lade build --check` tells.
struct CheckResult {
  SourcePtr source;
  std::vector<LintWarning> warnings = {};  ///< sorted
  std::optional<Error> error = {};         ///< why the file cannot be built, or lint_error()
};

/// Checks without building: every stage, or those that options.target needs. Configs of base images
/// are read; where that fails the observer is warned, and what needs them is left out. Throws what
/// reading the Containerfile throws.
CheckResult check_build(const BuildOptions& options, const BuildServices& services);

}  // namespace lade::build
