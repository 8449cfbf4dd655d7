// WORKDIR: the working directory, made where it is missing.
#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/build/account.h"
#include "libimage/build/file_mode.h"
#include "libimage/build/instructions.h"
#include "libimage/build/stage.h"
#include "libimage/build/step_key.h"
#include "libimage/io/path.h"

namespace lade::build {
namespace {

class Workdir final : public Instruction {
 public:
  /// --lade-chown and --lade-chmod, not expanded: of the directories that are made.
  struct Flags {
    std::string chown = {}, chmod = {};
  };
  Workdir(LogicalLine line, std::string path, Flags flags)
      : Instruction(std::move(line)), path_(std::move(path)), flags_(std::move(flags)) {}
  [[nodiscard]] bool is_extended() const override {
    return !flags_.chown.empty() || !flags_.chmod.empty();
  }

  void execute(StageContext& stage) const override {
    const std::string text = stage.expander().word(path_);
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
    const Made made{.chown = stage.expander().word(flags_.chown),
                    .chmod = stage.expander().word(flags_.chmod)};
    if (is_extended()) key.add(made.chown).add(made.chmod);
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
    std::vector<LayerEntry> entries = missing_directories(stage, directory, made);
    std::optional<LayerResult> layer;
    if (!entries.empty()) layer = stage.root().add(std::move(entries), stage.run().layer_options());
    stage.commit_layer(created_by, step, layer);
  }

 private:
  struct Made {
    std::string chown, chmod;
  };

  static Owner owner_for(StageContext& stage, const Made& how) {
    if (!how.chown.empty()) return resolve_owner(stage.root(), how.chown);
    const Account account = resolve_account(stage.root(), stage.config().user);
    return {account.uid, account.gid};
  }

  /// Those of the path's directories that are not there, owned by the current user, and before them
  /// the existing ones as they are: a layer unpacked alone must not show them otherwise.
  static std::vector<LayerEntry> missing_directories(StageContext& stage,
                                                     const std::string& directory,
                                                     const Made& how) {
    RootFs& root = stage.root();
    const std::string path = root.resolve(clean_path(directory));
    std::vector<LayerEntry> entries;
    bool made = false;
    Owner owner;
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
        if (!made) owner = owner_for(stage, how);
        made = true;
        const std::uint32_t mode =
            how.chmod.empty() ? 0755 : FileMode::parse(how.chmod).apply(0755, FileType::directory);
        entry.attributes = {.type = FileType::directory,
                            .mode = mode,
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

  std::string path_;  // not expanded
  Flags flags_;
};

}  // namespace

std::unique_ptr<Instruction> parse_workdir(const ParseInput& input) {
  std::string path = input.line.arguments;
  const FlagSet flags("WORKDIR", take_flags(path, input.escape), {{"lade-chown"}, {"lade-chmod"}});
  if (path.empty()) throw Error(Errc::invalid_content, "WORKDIR needs a path");
  return std::make_unique<Workdir>(
      input.line, std::move(path),
      Workdir::Flags{.chown = flags.value("lade-chown"), .chmod = flags.value("lade-chmod")});
}

}  // namespace lade::build
