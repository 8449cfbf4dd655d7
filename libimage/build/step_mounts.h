#pragma once
#include <memory>
#include <string>
#include <vector>

#include "libimage/build/agent_proxy.h"
#include "libimage/build/run_mount.h"
#include "libimage/build/stage.h"
#include "libimage/build/step_key.h"
#include "libimage/container/shown_tree.h"
#include "libimage/io/path.h"
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
  static std::string seed_cache(StageContext& stage, const RunMount& mount,
                                CacheMountOptions& options);
  void tmpfs(StageContext& stage, const RunMount& mount);
  void secret(StageContext& stage, const RunMount& mount);
  void agent(StageContext& stage, const RunMount& mount);
  std::string agent_socket(StageContext& stage, const std::string& id, const std::string& text);

  std::vector<sandbox::Mount> mounts_;
  std::vector<std::string> variables_;  // NAME=value
  std::vector<ShownTree> trees_;
  std::vector<LocalStore::CacheMount> caches_;
  std::unique_ptr<TempDir> sockets_;  // with an agent: where the sockets below are
  std::unique_ptr<KeyAgents> key_agents_;
  std::vector<std::unique_ptr<SocketProxy>> proxies_;
};

}  // namespace lade::build
