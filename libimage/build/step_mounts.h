#pragma once
#include <memory>
#include <string>
#include <vector>

#include "libimage/build/run_mount.h"
#include "libimage/build/stage.h"
#include "libimage/build/step_key.h"
#include "libimage/container/shown_tree.h"
#include "libimage/sandbox/runtime_config.h"

namespace lade::build {

/// What of `mounts` decides a RUN's result: their places, and the content of what they bind; not
/// the caches' and secrets' (buildkit.md, "Cache semantics").
void add_mounts(StepKey& key, StageContext& stage, const std::vector<RunMount>& mounts);

/// The mounts of one step, made; the step must have ended when it goes.
class StepMounts {
 public:
  StepMounts(StageContext& stage, const std::vector<RunMount>& mounts);

  /// Adds them, and the variables of secrets and agents, to the step.
  void add_to(sandbox::RuntimeConfig& step) const;

 private:
  void bind(StageContext& stage, const RunMount& mount);
  void cache(StageContext& stage, const RunMount& mount);
  void tmpfs(StageContext& stage, const RunMount& mount);
  void secret(StageContext& stage, const RunMount& mount);
  void agent(StageContext& stage, const RunMount& mount);

  std::vector<sandbox::Mount> mounts_;
  std::vector<std::string> variables_;  // NAME=value
  std::vector<ShownTree> trees_;
  std::vector<LocalStore::CacheMount> caches_;
  unsigned agents_ = 0;
};

}  // namespace lade::build
