#include "libimage/build/outline.h"

#include <algorithm>
#include <map>
#include <set>

#include "libimage/base/text.h"
#include "libimage/build/arguments.h"
#include "libimage/build/build_run.h"
#include "libimage/build/globals.h"
#include "libimage/build/run_mount.h"
#include "libimage/build/static_scope.h"

namespace lade::build {
namespace {

/// An ARG that some stage may use, with the names that its value was made of.
struct KnownArg {
  OutlineArg arg;
  std::set<std::string> needs = {};
};

std::set<std::string> names_in(const std::string& text, char escape) {
  std::set<std::string> out;
  const VariableLookup lookup = [&](std::string_view name) -> std::optional<std::string> {
    out.emplace(name);
    return std::nullopt;
  };
  (void)expanded_text({.text = text}, lookup, escape);
  return out;
}

class OutlineBuilder {
 public:
  OutlineBuilder(const Containerfile& file, const BuildOptions& options, const BuildTarget& target,
                 Outline& out)
      : file_(file), options_(options), globals_(target.globals), out_(out) {
    for (const GlobalArg& arg : file_.global_args) {
      KnownArg& known = known_globals_[arg.name];
      known.arg = {.name = arg.name,
                   .description = description_of(arg.comments, arg.name),
                   .value = get_variable(globals_, arg.name),
                   .lines = arg.lines};
      if (arg.value && !options_.build_args.contains(arg.name))
        known.needs.merge(names_in(*arg.value, file_.escape));
    }
  }

  void add(const GraphStage& graph_stage) {
    const StageSource& stage = file_.stages[graph_stage.index];
    std::map<std::string, KnownArg> known;  // of the stage; what is not here is global
    std::vector<std::string> used;
    for (const std::string* word : {&stage.base, &stage.platform}) {
      const std::set<std::string> names = names_in(*word, file_.escape);
      used.insert(used.end(), names.begin(), names.end());
    }
    StaticScope scope(options_.build_args, globals_, {});
    for (const auto& instruction : stage.instructions) {
      const LogicalLine& line = instruction->line();
      if (line.keyword == "ARG") {
        for (const ArgDeclaration& declaration : arg_declarations(line, file_.escape)) {
          declare(declaration, line, scope, known);
          used.push_back(declaration.name);
        }
      }
      if (line.keyword == "RUN") add_mounts(line, scope);
      scope.pass(line, file_.escape);
    }
    while (!used.empty()) {
      const std::string name = std::move(used.back());
      used.pop_back();
      if (!taken_.insert(name).second) continue;
      const auto here = known.find(name);
      const auto global = known_globals_.find(name);
      for (const KnownArg* found : {here == known.end() ? nullptr : &here->second,
                                    global == known_globals_.end() ? nullptr : &global->second}) {
        if (found == nullptr) continue;
        used.insert(used.end(), found->needs.begin(), found->needs.end());
        out_.args.push_back(found->arg);
        break;
      }
    }
  }

 private:
  void declare(const ArgDeclaration& declaration, const LogicalLine& line, const StaticScope& scope,
               std::map<std::string, KnownArg>& known) const {
    const bool given = options_.build_args.contains(declaration.name);
    if (!declaration.value && !given && get_variable(globals_, declaration.name)) return;
    KnownArg& arg = known[declaration.name];
    arg.arg = {.name = declaration.name,
               .description = description_of(line.comments, declaration.name),
               .value = scope.value_of(declaration, file_.escape),
               .lines = line.lines};
    if (declaration.value && !given) arg.needs.merge(names_in(*declaration.value, file_.escape));
  }

  void add_mounts(const LogicalLine& line, const StaticScope& scope) {
    std::string arguments = line.arguments;
    for (const Flag& flag : take_flags(arguments, file_.escape)) {
      if (flag.name != "mount" || !flag.value) continue;
      try {
        const RunMount mount = parse_run_mount(*flag.value, scope.expander(file_.escape));
        if (mount.kind == RunMount::Kind::secret) add_mount(out_.secrets, mount, line.lines);
        if (mount.kind == RunMount::Kind::ssh) add_mount(out_.agents, mount, line.lines);
      } catch (const Error& e) {
        throw file_.source->error(e.code(), line.lines, e.what());
      }
    }
  }

  static void add_mount(std::vector<OutlineMount>& list, const RunMount& mount,
                        const LineRange& lines) {
    std::string id = mount.id;
    if (id.empty() && mount.kind == RunMount::Kind::ssh) id = "default";
    if (id.empty()) id = mount.target.substr(mount.target.rfind('/') + 1);
    const auto known =
        std::find_if(list.begin(), list.end(), [&](const OutlineMount& m) { return m.id == id; });
    if (known == list.end()) {
      list.push_back({.id = std::move(id), .required = mount.required, .lines = lines});
    } else {
      known->required = known->required || mount.required;
      known->lines = std::min(known->lines, lines);
    }
  }

  const Containerfile& file_;
  const BuildOptions& options_;
  const Environment& globals_;
  Outline& out_;
  std::map<std::string, KnownArg> known_globals_;
  std::set<std::string> taken_;
};

Containerfile parsed(const BuildOptions& options) {
  ContainerfileText text = read_containerfile(options);
  return parse_containerfile(std::move(text.name), std::move(text.text));
}

template <typename Item>
void sort_by_line(std::vector<Item>& items) {
  std::stable_sort(items.begin(), items.end(),
                   [](const Item& a, const Item& b) { return a.lines < b.lines; });
}

}  // namespace

Outline outline_build(const BuildOptions& options) {
  const Containerfile file = parsed(options);
  const std::vector<BuildTarget> targets = build_targets(file, options);
  const StageGraph graph = stage_graph(file, options.target, {targets.front()});
  const StageSource& last = file.stages[graph.stages.back().index];
  Outline out{.source = file.source,
              .name = last.name,
              .description = description_of(last.from.comments, last.name)};
  OutlineBuilder builder(file, options, targets.front(), out);
  for (std::size_t i = graph.stages.size(); i-- > 0;) builder.add(graph.stages[i]);
  std::sort(out.args.begin(), out.args.end(),
            [](const OutlineArg& a, const OutlineArg& b) { return a.name < b.name; });
  sort_by_line(out.args);
  sort_by_line(out.secrets);
  sort_by_line(out.agents);
  return out;
}

TargetList list_targets(const BuildOptions& options) {
  const Containerfile file = parsed(options);
  TargetList out{.source = file.source};
  for (const StageSource& stage : file.stages) {
    out.targets.push_back({.name = stage.name,
                           .description = description_of(stage.from.comments, stage.name),
                           .base = stage.base,
                           .platform = stage.platform,
                           .is_default = &stage == &file.stages.back(),
                           .lines = stage.from.lines});
  }
  return out;
}

}  // namespace lade::build
