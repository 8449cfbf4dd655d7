#pragma once
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "libimage/build/build_run.h"
#include "libimage/build/explain.h"
#include "libimage/build/step_log.h"
#include "libimage/build/word.h"

namespace lade::build {

/// Finds the finished tree of the stage or image that a COPY --from names.
using TreeOf = std::function<const RootFs&(const std::string& from)>;

/// Where a stage's instructions are executed.
struct StageScope {
  oci::Platform platform;      ///< of the stage
  const Environment& globals;  ///< of the target (BuildTarget)
  TreeOf tree_of;
};

/// What a step's result is found by beside its key.
struct StepAliases {
  std::vector<std::string> keys = {};
  std::vector<std::string> marks = {};  ///< see StageContext::is_marked()
};

/// A stage while its instructions are executed; one thread's.
class StageContext {
 public:
  StageContext(BuildRun& run, StageState state, StageScope scope, std::stop_token stop)
      : run_(run), state_(std::move(state)), scope_(std::move(scope)), stop_(std::move(stop)) {}

  [[nodiscard]] BuildRun& run() noexcept { return run_; }
  [[nodiscard]] const oci::Platform& platform() const noexcept { return scope_.platform; }
  [[nodiscard]] const Environment& globals() const noexcept { return scope_.globals; }
  [[nodiscard]] StageState& state() noexcept { return state_; }
  [[nodiscard]] oci::ExecutionConfig& config() { return state_.config(); }
  [[nodiscard]] RootFs& root() noexcept { return state_.root; }
  [[nodiscard]] const RootFs& tree_of(const std::string& from) const {
    return scope_.tree_of(from);
  }
  [[nodiscard]] const std::stop_token& stop() const noexcept { return stop_; }

  /// Expands by what was set before this instruction.
  [[nodiscard]] Expander expander() const;
  /// `path` below the working directory, cleaned, with its leading slash.
  [[nodiscard]] std::string absolute(std::string_view path) const;
  /// The chain ID of the tree so far; "scratch" without a layer.
  [[nodiscard]] std::string chain() const;

  /// Ends an instruction that only changed the config: a history entry without a layer.
  void commit(std::string created_by);
  /// Ends an instruction with what is stored under `key`, if that is there and may be used. Else
  /// the step is claimed for this stage: false, it must be executed. Throws StepPending, before
  /// anything has changed, while another stage or build executes it. The result is stored under
  /// the aliases, too.
  bool commit_cached(const std::string& created_by, const std::string& key,
                     StepAliases aliases = {});
  /// The same without a claim: for what claim() covers.
  bool commit_known(const std::string& created_by, const std::string& key,
                    StepAliases aliases = {});
  /// The key of a RUN of that definition, which holds the tree, as this stage's next step. With
  /// --no-cache its result counts only for who came here by the same RUNs.
  std::string begin_run(const std::string& definition);
  /// After the commit of what begin_run() began.
  void end_run(const std::string& definition);
  /// Claims what has no key yet under another name for it, until the instruction ends. Throws
  /// StepPending.
  void claim(const std::string& step);
  /// Ends an instruction that was executed: `layer` is on top of root() already; nullopt: it
  /// changed nothing. Stores the result under `key` and its aliases.
  void commit_layer(std::string created_by, const std::string& key,
                    const std::optional<LayerResult>& layer, StepAliases aliases = {});
  /// True if a step was ever stored with that mark.
  [[nodiscard]] bool is_marked(const std::string& mark) const;

  /// True if the last instruction's result came from the cache.
  [[nodiscard]] bool was_cached() const noexcept { return was_cached_; }
  /// A step begins: `item` and `label` as the observer knows it, its place and its text for
  /// explanations.
  void start_step(std::string item, std::string label, StepPlace place, std::string text);
  /// Tells how to find what the step depends on, by name; called when it is to be explained or
  /// recorded, while the instruction is executed.
  void describe(std::function<std::vector<StepInput>()> inputs) { inputs_ = std::move(inputs); }
  /// The key by which the records know the step, if it has several.
  void record_as(std::string key) { record_key_ = std::move(key); }
  /// What every step that makes layers depends on, for describe().
  void note_common(StepKey& key) const;
  /// What to add to the message of a step that failed: the end of what it printed, and where all of
  /// it is kept; "" if it printed nothing.
  [[nodiscard]] std::string failure_notes() noexcept;
  /// Gives up what the instruction claimed: it has ended, one way or another.
  void end_step() noexcept;
  /// Tells the observer a piece of the step's output.
  void output(std::string_view text);

 private:
  std::optional<StepResult> find_step(const std::string& key) const;
  void store_aliases(StepResult result, const StepAliases& aliases) const;
  void record_step(const std::string& key, StepAliases aliases) const;
  [[nodiscard]] std::string shared_key(const std::string& key) const;
  void add_history(std::string created_by, bool empty_layer);
  [[nodiscard]] std::optional<StepResult> result_of(const std::string& key);
  enum class Outcome { cached, executed };
  void explain(Outcome outcome, const std::string& key);
  void record(const std::string& key);
  void keep_log(const std::string& key);

  BuildRun& run_;
  StageState state_;
  StageScope scope_;
  std::stop_token stop_;
  std::string item_;
  std::string label_;
  bool was_cached_ = false;
  StepPlace place_;
  std::string text_;
  std::function<std::vector<StepInput>()> inputs_;
  std::vector<StepInput> found_;  // by inputs_
  std::string record_key_;        // "": the step's only key
  bool explained_ = false;
  std::string after_;      // the digest of the RUNs before, while a RUN is executed
  std::size_t depth_ = 0;  // of the tree before it
  StepLog log_;
  std::vector<std::string> claims_;
  std::vector<StepLock> locks_;
};

}  // namespace lade::build
