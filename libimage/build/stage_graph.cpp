#include "libimage/build/stage_graph.h"

#include <algorithm>

#include "libimage/base/text.h"
#include "libimage/build/context_source.h"
#include "libimage/build/word.h"

namespace lade::build {
namespace {

/// The stage of that name: of several the last before stage `limit`, else one behind it; nullopt if
/// there is none.
std::optional<std::size_t> stage_named(const Containerfile& file, const std::string& name,
                                       std::size_t limit) {
  const std::string wanted = lower_case(name);
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < file.stages.size() && (i < limit || !found); ++i) {
    if (!file.stages[i].name.empty() && file.stages[i].name == wanted) found = i;
  }
  return found;
}

/// What the graphs of all platforms share.
using Images = std::vector<ImageRef>;
using Named = std::map<std::string, std::string>;  // contexts

/// The graph of one platform.
class GraphBuilder {
 public:
  GraphBuilder(const Containerfile& file, const BuildTarget& target, const Named& contexts,
               const TriggerSources& triggers, Images& images)
      : file_(file),
        globals_(target.globals),
        platform_(target.platform),
        contexts_(contexts),
        triggers_(triggers),
        images_(images) {}

  /// The stages that `target` needs, in the order of the file.
  std::vector<GraphStage> build(std::size_t target) {
    // Edges lead to earlier stages only: walking backwards from the target sees each one after all
    // that need it.
    std::vector<bool> needed(target + 1);
    needed[target] = true;
    std::vector<GraphStage> stages;
    for (std::size_t i = target + 1; i-- > 0;) {
      if (!needed[i]) continue;
      GraphStage stage = resolve(i);
      mark(stage.base, needed);
      for (const auto& [text, ref] : stage.from) mark(ref, needed);
      stages.push_back(std::move(stage));
    }
    std::reverse(stages.begin(), stages.end());
    return stages;
  }

 private:
  static void mark(const TreeRef& ref, std::vector<bool>& needed) {
    if (ref.kind == TreeRef::Kind::stage) needed[ref.index] = true;
  }

  GraphStage resolve(std::size_t index) {
    const StageSource& source = file_.stages[index];
    GraphStage out{.index = index};
    try {
      resolve_base(source, index, out);
    } catch (const Error& e) {
      throw file_.source->error(e.code(), source.from.lines, cat("FROM: ", e.what()));
    }
    for (const auto& instruction : source.instructions) {
      for (const std::string& from : instruction->from()) {
        if (out.from.count(from) > 0) continue;
        try {
          out.from.emplace(from,
                           resolve_from(from, index, instruction->line().lines, out.platform));
        } catch (const Error& e) {
          throw file_.source->error(e.code(), instruction->line().lines,
                                    cat(instruction->label(), ": ", e.what()));
        }
      }
    }
    const auto triggers = triggers_.find(index);
    if (triggers == triggers_.end()) return out;
    out.declares = triggers->second.declares;
    for (const std::string& from : triggers->second.from) {
      try {
        if (out.from.count(from) == 0)
          out.from.emplace(from, resolve_from(from, index, source.from.lines, out.platform));
      } catch (const Error& e) {
        throw file_.source->error(e.code(), source.from.lines,
                                  cat("ONBUILD --from=", printable(from), ": ", e.what()));
      }
    }
    return out;
  }

  void resolve_base(const StageSource& source, std::size_t index, GraphStage& out) {
    const Expander expander([this](std::string_view name) { return get_variable(globals_, name); },
                            file_.escape);
    const std::string platform = expander.word(source.platform);
    out.platform = platform.empty() ? platform_ : parse_platform(platform);
    const std::string base = expander.word(source.base);
    if (base.empty())
      throw Error(Errc::invalid_content,
                  cat("the name ", quoted(source.base), " expands to nothing"));
    const auto stage = stage_named(file_, base, index);
    if (const auto named = context(base, out.platform, source.from.lines)) {
      out.base = *named;
      if (named->kind == TreeRef::Kind::context) out.base_context = base;
    } else if (stage && *stage < index) {
      out.base = {.kind = TreeRef::Kind::stage, .index = *stage};
    } else if (base == "scratch") {
      out.base = {};
    } else {
      out.base = image(base, out.platform, source.from.lines);
    }
  }

  TreeRef resolve_from(const std::string& from, std::size_t index, const LineRange& lines,
                       const oci::Platform& platform) {
    if (const auto named = context(from, platform, lines)) return *named;
    auto stage = stage_named(file_, from, index);
    if (!stage) {
      const auto number = parse_decimal(from);
      if (number && *number < file_.stages.size()) stage = static_cast<std::size_t>(*number);
      if (number && !stage)
        throw Error(Errc::invalid_argument, cat("there is no stage ", quoted(from)));
    }
    if (!stage) return image(from, platform, lines);
    if (*stage == index) throw Error(Errc::invalid_argument, "a stage cannot copy from itself");
    if (*stage > index)
      throw Error(Errc::invalid_argument, cat("stage ", quoted(from), " comes later in the file"));
    return {.kind = TreeRef::Kind::stage, .index = *stage};
  }

  std::optional<TreeRef> context(const std::string& name, const oci::Platform& platform,
                                 const LineRange& lines) {
    const auto named = named_context(contexts_, name, platform);
    if (!named) return std::nullopt;
    if (named->kind == ContextName::Kind::image) return image(named->text, platform, lines);
    return TreeRef{.kind = TreeRef::Kind::context};
  }

  TreeRef image(const std::string& name, const oci::Platform& platform, const LineRange& lines) {
    const auto known = std::find_if(images_.begin(), images_.end(), [&](const ImageRef& ref) {
      return ref.name == name && ref.platform == platform;
    });
    const auto at = static_cast<std::size_t>(known - images_.begin());
    if (known == images_.end())
      images_.push_back({.name = name, .platform = platform, .lines = lines});
    return {.kind = TreeRef::Kind::image, .index = at};
  }

  const Containerfile& file_;
  const Environment& globals_;
  const oci::Platform& platform_;
  const Named& contexts_;
  const TriggerSources& triggers_;
  Images& images_;
};

/// Puts the graphs of the platforms into one. Two stages are the same if they are the same lines on
/// the same trees for the same platform, and no argument that they declare has another value.
class GraphMerger {
 public:
  GraphMerger(const Containerfile& file, const std::vector<BuildTarget>& targets)
      : file_(file), targets_(targets) {}

  void add(std::vector<GraphStage> stages, std::size_t target) {
    std::map<std::size_t, std::size_t> placed;  // by the index in the file
    const auto place = [&](TreeRef& ref) {
      if (ref.kind == TreeRef::Kind::stage) ref.index = placed.at(ref.index);
    };
    for (GraphStage& stage : stages) {
      stage.target = target;
      place(stage.base);
      for (auto& [text, ref] : stage.from) place(ref);
      const auto same = std::find_if(graph_.stages.begin(), graph_.stages.end(),
                                     [&](const GraphStage& s) { return is_same(s, stage); });
      placed[stage.index] = static_cast<std::size_t>(same - graph_.stages.begin());
      if (same == graph_.stages.end()) {
        graph_.stages.push_back(std::move(stage));
      } else {
        same->shared = true;
      }
    }
    graph_.targets.push_back(placed.rbegin()->second);
  }

  StageGraph take(Images images) {
    graph_.images = std::move(images);
    return std::move(graph_);
  }

 private:
  bool is_same(const GraphStage& a, const GraphStage& b) const {
    if (a.index != b.index || a.base != b.base || a.base_context != b.base_context ||
        a.platform != b.platform || a.from != b.from)
      return false;
    const StageSource& source = file_.stages[a.index];
    const auto is_equal = [&](const std::string& name) {
      return get_variable(targets_[a.target].globals, name) ==
             get_variable(targets_[b.target].globals, name);
    };
    return std::all_of(a.declares.begin(), a.declares.end(), is_equal) &&
           std::all_of(source.instructions.begin(), source.instructions.end(),
                       [&](const auto& instruction) {
                         const std::vector<std::string> names = instruction->declares();
                         return std::all_of(names.begin(), names.end(), is_equal);
                       });
  }

  const Containerfile& file_;
  const std::vector<BuildTarget>& targets_;
  StageGraph graph_;
};

std::size_t target_index(const Containerfile& file, const std::string& target) {
  if (target.empty()) return file.stages.size() - 1;
  if (const auto named = stage_named(file, target, file.stages.size())) return *named;
  const auto number = parse_decimal(target);
  if (number && *number < file.stages.size()) return static_cast<std::size_t>(*number);
  std::vector<std::string> names;
  for (const StageSource& stage : file.stages) {
    if (!stage.name.empty()) names.push_back(stage.name);
  }
  const auto near = nearest(lower_case(target), names);
  throw Error(Errc::invalid_argument,
              cat("there is no stage ", quoted(target), " in ", printable(file.source->name()),
                  near ? cat(", did you mean ", *near, "?") : std::string()));
}

}  // namespace

StageGraph stage_graph(const Containerfile& file, const std::string& target,
                       const std::vector<BuildTarget>& targets,
                       const std::map<std::string, std::string>& contexts,
                       const TriggerSources& triggers) {
  const std::size_t last = target_index(file, target);
  Images images;
  GraphMerger merger(file, targets);
  for (std::size_t i = 0; i < targets.size(); ++i)
    merger.add(GraphBuilder(file, targets[i], contexts, triggers, images).build(last), i);
  return merger.take(std::move(images));
}

std::string stage_label(const Containerfile& file, std::size_t index) {
  const StageSource& stage = file.stages[index];
  return stage.name.empty() ? cat("stage-", index) : stage.name;
}

}  // namespace lade::build
