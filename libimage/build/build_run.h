/// What the stages of one build share.
#pragma once
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "libimage/build/build.h"
#include "libimage/build/containerfile.h"
#include "libimage/build/contexts.h"
#include "libimage/build/environment.h"
#include "libimage/build/explain.h"
#include "libimage/build/stage_graph.h"
#include "libimage/build/step_table.h"
#include "libimage/container/root_fs.h"

namespace lade::build {

/// An ARG in scope.
struct DeclaredArg {
  std::string name;
  std::optional<std::string> value = {};
};

/// The image at the bottom of a stage; empty for scratch.
struct BaseName {
  std::string name = {};
  std::string digest = {};  ///< of its manifest
};

/// What a stage is after some of its instructions; a stage FROM another starts with a copy.
struct StageState {
  oci::ImageConfig image;  ///< `config` is always there
  RootFs root;
  Environment environment = {};  ///< ENV and ARG as expansion and RUN see them
  std::vector<DeclaredArg> args = {};
  bool cmd_set = false;           ///< CMD was given in this very stage
  std::size_t history_bytes = 0;  ///< of what the build added to the history
  BaseName base = {};
  std::size_t base_layers = 0;  ///< layers of the image that it began from
  /// The RUNs that left the tree as it is now, by their definitions: an equal one after them is a
  /// step of its own, since it may change what is in no tree (a cache mount, a server).
  std::vector<std::string> idle_runs = {};
  std::string runs = {};              ///< a digest of all RUNs so far; "": none
  oci::Annotations annotations = {};  ///< of the base's manifest, where they are inherited

  [[nodiscard]] oci::ExecutionConfig& config() { return *image.config; }
};

/// Made once, read by all stages; what changes is guarded or has one writer.
class BuildRun {
 public:
  BuildRun(const BuildOptions& options, const BuildServices& services, Contexts& contexts,
           Containerfile file);
  ~BuildRun();

  [[nodiscard]] const BuildOptions& options() const noexcept { return options_; }
  [[nodiscard]] const BuildServices& services() const noexcept { return services_; }
  [[nodiscard]] const Containerfile& file() const noexcept { return file_; }
  /// The platforms that the build is for, at least one, none twice.
  [[nodiscard]] const std::vector<BuildTarget>& targets() const noexcept { return targets_; }
  [[nodiscard]] const std::optional<Timestamp>& epoch() const noexcept { return epoch_; }
  /// RFC 3339: the epoch, or the time when the build began.
  [[nodiscard]] const std::string& created() const noexcept { return created_; }
  [[nodiscard]] unsigned jobs() const noexcept { return jobs_; }
  [[nodiscard]] LayerOptions layer_options() const;
  /// What of the layer options is in a step's bytes, for its key.
  [[nodiscard]] std::string layer_key() const;

  [[nodiscard]] Contexts& contexts() noexcept { return contexts_; }
  /// The build context's files. Throws Error{invalid_argument} if there is none.
  BuildContext& context() { return contexts_.main().files; }
  /// Files that RUN steps see as /etc/hosts and /etc/resolv.conf: paths on this machine. `network`
  /// decides their content.
  struct NetworkFiles {
    std::string hosts, resolv_conf;  ///< the second is "" for --dns none
  };
  NetworkFiles network_files(NetworkMode network);
  /// What the build's steps are connected to unless they say otherwise.
  [[nodiscard]] sandbox::Network& network() noexcept { return network_; }
  /// Writes `text` as an executable file that lives as long as the build; returns its path.
  std::string script(const std::string& text);

  /// The steps under way.
  [[nodiscard]] StepTable& step_table() noexcept { return step_table_; }

  /// Tells what the build took from outside, for its provenance.
  void add_material(Material material);
  /// Sorted, each once.
  [[nodiscard]] std::vector<Material> materials() const;

  /// Tells that a step could reach a network.
  void note_network() noexcept { networked_ = true; }
  [[nodiscard]] bool is_hermetic() const noexcept { return !networked_; }

  /// What steps depended on when this Containerfile was built last.
  StepRecords& records();
  void count_step(bool cached) noexcept;
  /// The solver begins again.
  void forget_counts() noexcept { steps_ = cached_steps_ = 0; }
  [[nodiscard]] std::uint64_t steps() const noexcept { return steps_; }
  [[nodiscard]] std::uint64_t cached_steps() const noexcept { return cached_steps_; }
  /// Writes what was learnt of the context for the next build.
  void finish() noexcept;

 private:
  const TempDir& scratch();

  const BuildOptions& options_;
  const BuildServices& services_;
  Contexts& contexts_;
  Containerfile file_;
  std::vector<BuildTarget> targets_;
  std::optional<Timestamp> epoch_;
  std::string created_;
  unsigned jobs_;
  StepTable step_table_;
  sandbox::Network network_;
  std::atomic<std::uint64_t> steps_ = 0;
  std::atomic<std::uint64_t> cached_steps_ = 0;
  std::atomic<bool> networked_ = false;

  mutable std::mutex mutex_;
  std::set<Material> materials_;          // guarded by mutex_
  std::unique_ptr<StepRecords> records_;  // guarded by mutex_ until set
  std::unique_ptr<TempDir> scratch_;      // guarded by mutex_ until set
  std::size_t scripts_ = 0;               // guarded by mutex_
};

}  // namespace lade::build
