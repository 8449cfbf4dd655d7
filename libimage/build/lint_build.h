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

/// Feeds the linter with base images as they become known, and hands on what it finds: each stage
/// of the graph is checked once, as soon as what it starts from is known. Thread-safe.
class BuildLint {
 public:
  /// Told of each finding once, by one thread at a time.
  using Found = std::function<void(const LintWarning&)>;

  /// Everything outlives the object. Throws what lint_settings() throws.
  BuildLint(BuildRun& run, const StageGraph& graph, Found found);

  [[nodiscard]] const LintSettings& settings() const noexcept { return settings_; }

  /// Checks the file, and every stage that needs no image.
  void start();
  /// Checks the stages that wait for image `index` of the graph.
  void image_known(std::size_t index, const oci::ImageConfig& config);

 private:
  [[nodiscard]] const LintBase* base_of(const GraphStage& stage) const;
  void advance();
  void tell(const std::vector<LintWarning>& warnings);

  const StageGraph& graph_;
  LintSettings settings_;
  Found found_;
  std::vector<Linter> linters_;  // one for each target of the build

  std::mutex mutex_;
  std::vector<std::optional<LintBase>> images_;                     // guarded by mutex_
  std::vector<std::optional<LintBase>> ends_;                       // guarded by mutex_
  std::set<std::tuple<std::string, LineRange, std::string>> told_;  // guarded by mutex_
};

/// Lint beside a build: findings are the observer's warnings. Where the settings make them errors,
/// the configs of all base images are read first, and findings throw lint_error().
std::unique_ptr<BuildLint> start_lint(BuildRun& run, const StageGraph& graph);

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
