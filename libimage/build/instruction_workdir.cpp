// WORKDIR: the working directory, made where it is missing.
#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/build/account.h"
#include "libimage/build/instructions.h"
#include "libimage/build/stage.h"
#include "libimage/build/step_key.h"
#include "libimage/io/path.h"

namespace lade::build {
namespace {

class Workdir final : public Instruction {
 public:
  using Instruction::Instruction;

  void execute(StageContext& stage) const override {
    const std::string text = stage.expander().word(line().arguments);
    if (text.empty()) throw Error(Errc::invalid_content, "WORKDIR is empty after expansion");
    const std::string directory = stage.absolute(text);
    const std::string created_by = cat("WORKDIR ", directory);
    if (directory == "/") {
      stage.config().working_dir = directory;
      stage.commit(created_by);
      return;
    }
    StepKey key("WORKDIR");
    key.add(stage.chain()).add(stage.run().layer_key()).add(directory).add(stage.config().user);
    const std::string step = key.str();
    stage.describe([&] {
      StepKey named("inputs");
      stage.note_common(named.keep_inputs());
      named.note("directory", directory).note("user", stage.config().user);
      return named.take_inputs();
    });
    const bool cached = stage.commit_cached(created_by, step);
    stage.config().working_dir = directory;  // not before the step is ours
    stage.run().count_step(cached);
    if (cached) return;
    std::vector<LayerEntry> entries = missing_directories(stage, directory);
    std::optional<LayerResult> layer;
    if (!entries.empty()) layer = stage.root().add(std::move(entries), stage.run().layer_options());
    stage.commit_layer(created_by, step, layer);
  }

 private:
  /// Those of the path's directories that are not there, owned by the current user, and before them
  /// the existing ones as they are: a layer unpacked alone must not show them otherwise.
  static std::vector<LayerEntry> missing_directories(StageContext& stage,
                                                     const std::string& directory) {
    RootFs& root = stage.root();
    const std::string path = root.resolve(clean_path(directory));
    std::vector<LayerEntry> entries;
    bool made = false;
    Account owner;
    Timestamp mtime = stage.run().epoch().value_or(Timestamp{});
    for (std::size_t end = path.find('/');; end = path.find('/', end + 1)) {
      const std::string part = path.substr(0, end);
      LayerEntry entry{.path = part};
      const auto existing = made ? std::nullopt : root.lookup(part);
      if (existing && existing->type != FileType::directory)
        throw Error(Errc::invalid_argument, cat(quoted(part), " is not a directory"));
      if (existing) {
        entry.attributes = *existing;
        // Not the time of day: the same inputs give the same bytes.
        if (!stage.run().epoch()) mtime = existing->mtime;
      } else {
        if (!made) owner = resolve_account(root, stage.config().user);
        made = true;
        entry.attributes = {.type = FileType::directory,
                            .mode = 0755,
                            .uid = owner.uid,
                            .gid = owner.gid,
                            .mtime = mtime};
      }
      entries.push_back(std::move(entry));
      if (end == std::string::npos) break;
    }
    if (!made) entries.clear();
    return entries;
  }
};

}  // namespace

std::unique_ptr<Instruction> parse_workdir(const ParseInput& input) {
  if (input.line.arguments.empty()) throw Error(Errc::invalid_content, "WORKDIR needs a path");
  return std::make_unique<Workdir>(input.line);
}

}  // namespace lade::build
