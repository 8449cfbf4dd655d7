#include <algorithm>
#include <utility>

#include <fcntl.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/container/part.h"
#include "libimage/container/root_fs.h"
#include "libimage/container/root_fs_state.h"
#include "libimage/container/tree_copy.h"
#include "libimage/io/path.h"
#include "libimage/layer/file_attributes.h"
#include "libimage/layer/set_attributes.h"
#include "libimage/layer/snapshot.h"

namespace lade {
namespace {

/// A step that ran: its changes and the workspace that holds them.
struct Ran {
  std::vector<LayerEntry> changes = {};
  std::unique_ptr<LocalStore::Workspace> workspace = {};
  SnapshotForm form = SnapshotForm::layer;
  Timestamp root_mtime = {};  ///< of the root directory before the step
};

struct StepCall {
  sandbox::RuntimeConfig& step;
  sandbox::StepRunner& runner;
  Sink& output;
  const std::stop_token& stop;

  void run() const {
    const sandbox::StepStatus status = runner.run(step, {.output = output}, stop);
    for (const std::string& warning : status.warnings)
      output.write(bytes_of(cat("warning: ", warning, "\n")));
    if (status.exit_status == 0) return;
    throw Error(Errc::command_failed, cat("the command ended with status ", status.exit_status),
                ExitDetail{status.exit_status});
  }
};

/// True if the step left its upper directory as it was made. Times alone could not tell: two
/// changes within one tick of the kernel's clock have the same.
bool is_untouched(const DirFd& upper, const Attributes& before) {
  return sorted_names(upper).empty() && look_at_directory(upper, true).entry.attributes == before;
}

/// Gives `step` an overlay over `trees` with the new `workspace` for its root; the upper directory.
std::shared_ptr<const DirFd> put_on_overlay(const std::vector<StackedLayer::Tree>& trees,
                                            const LocalStore::Workspace& workspace,
                                            sandbox::RuntimeConfig& step) {
  auto upper = std::make_shared<const DirFd>(open_dir(workspace.fs_path()));
  sandbox::OverlayRoot overlay{
      .lower = {}, .upper = workspace.fs_path(), .work = workspace.work_path()};
  for (const StackedLayer::Tree& tree : trees) overlay.lower.push_back(tree.path);
  copy_directory_attributes(*trees.front().dir, *upper);
  step.root.overlay = std::move(overlay);
  step.root.path.clear();
  return upper;
}

/// Gives `step` a copy of `lower` in the new `workspace` for its root; null: the tree is empty.
std::shared_ptr<const DirFd> put_on_copy(const DirFd* lower, const LocalStore::Workspace& workspace,
                                         sandbox::RuntimeConfig& step) {
  auto root = std::make_shared<const DirFd>(open_dir(workspace.fs_path()));
  if (lower != nullptr) copy_tree(*lower, *root);
  step.root.overlay.reset();
  step.root.path = workspace.fs_path();
  return root;
}

Ran run_on_overlay(LocalStore& store, const std::vector<StackedLayer::Tree>& trees,
                   const StepCall& call) {
  Ran ran{.workspace = store.workspace()};
  const auto upper = put_on_overlay(trees, *ran.workspace, call.step);
  std::vector<const DirFd*> lower;
  for (const StackedLayer::Tree& tree : trees) lower.push_back(tree.dir.get());
  const Attributes before = look_at_directory(*upper, true).entry.attributes;
  ran.root_mtime = before.mtime;
  call.run();
  if (!is_untouched(*upper, before)) ran.changes = changes_of_upper(upper, lower);
  return ran;
}

/// `lower` null: the tree is empty.
Ran run_on_copy(LocalStore& store, const DirFd* lower, const StepCall& call) {
  Ran ran{.workspace = store.workspace(), .form = SnapshotForm::whole};
  const auto root = put_on_copy(lower, *ran.workspace, call.step);
  const Snapshot before = capture(*root);
  ran.root_mtime = before.at("").attributes.mtime;
  call.run();
  ran.changes = diff(before, capture(*root), lower != nullptr ? *lower : *root, root);
  return ran;
}

/// Later steps see the times that the layer holds: the clamped ones, and an old one for the root
/// directory, whose mtime alone makes no entry.
void settle_times(const DirFd& root, const Ran& ran, const LayerOptions& options) {
  bool has_root = false;
  for (const LayerEntry& entry : ran.changes) {
    const bool has_time =
        entry.kind == LayerEntry::Kind::file || entry.kind == LayerEntry::Kind::hardlink;
    has_root |= has_time && entry.path.empty();
    if (!has_time) continue;
    const Timestamp recorded = recorded_mtime(entry.attributes.mtime, options);
    if (recorded == entry.attributes.mtime) continue;
    const ParentAndName place = open_parent_in_root(root, entry.path);
    set_mtime(open_entry(place.parent, place.name.empty() ? "." : place.name, O_PATH).get(),
              recorded);
  }
  if (!has_root) set_mtime(root.get(), ran.root_mtime);
}

}  // namespace

sandbox::StepStatus RootFs::try_out(sandbox::RuntimeConfig step, sandbox::StepRunner& runner,
                                    const sandbox::StepCall& call, const std::stop_token& stop) {
  LocalStore& store = *state_->store;
  const std::unique_ptr<LocalStore::Workspace> workspace = store.workspace();
  if (!state_->top) {
    (void)put_on_copy(nullptr, *workspace, step);
  } else if (state_->copies()) {
    (void)put_on_copy(whole_tree(store, state_->stack()).dir.get(), *workspace, step);
  } else {
    const auto trees = overlay_trees(store, state_->stack(), state_->merged());
    (void)put_on_overlay(trees, *workspace, step);
    return runner.run(step, call, stop);
  }
  return runner.run(step, call, stop);
}

std::optional<LayerResult> RootFs::run(sandbox::RuntimeConfig step, sandbox::StepRunner& runner,
                                       Sink& output, const LayerOptions& options,
                                       const std::stop_token& stop) {
  LocalStore& store = *state_->store;
  const StepCall call{step, runner, output, stop};
  Ran ran;
  if (!state_->top) {
    ran = run_on_copy(store, nullptr, call);
  } else if (state_->copies()) {
    ran = run_on_copy(store, whole_tree(store, state_->stack()).dir.get(), call);
  } else {
    ran = run_on_overlay(store, overlay_trees(store, state_->stack(), state_->merged()), call);
  }
  if (ran.changes.empty()) return std::nullopt;
  LayerResult result = write_layer(ran.changes, store.images(), options);
  settle_times(open_dir(ran.workspace->fs_path()), ran, options);
  store.publish(std::move(ran.workspace), chain(), result.diff_id, ran.form);
  push({result.blob, result.diff_id});
  return result;
}

}  // namespace lade
