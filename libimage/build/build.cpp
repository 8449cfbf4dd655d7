#include "libimage/build/build.h"

#include <algorithm>
#include <set>

#include "libimage/base/text.h"
#include "libimage/build/build_run.h"
#include "libimage/build/instructions.h"
#include "libimage/build/result.h"
#include "libimage/build/stage.h"
#include "libimage/build/stage_graph.h"
#include "libimage/copy/copy.h"
#include "libimage/task/run_graph.h"

namespace lade::build {
namespace {

StageState empty_state(const BuildRun& run, const oci::Platform& platform) {
  StageState state{.image = {}, .root = RootFs(run.services().store)};
  state.image.architecture = platform.architecture;
  state.image.os = platform.os;
  state.image.os_version = platform.os_version;
  state.image.variant = platform.variant;
  state.image.config = oci::ExecutionConfig{.working_dir = "/"};
  set_variable(state.image.config->env, "PATH", kDefaultPath);
  state.environment = state.image.config->env;
  return state;
}

/// The image's document, narrowed to one platform, and all its blobs in the local store.
oci::Manifest fetch(const BuildRun& run, const ImageRef& image, const std::stop_token& stop) {
  LayoutStore& store = run.services().store.images();
  const ResolvedBase found = run.services().resolve(image.name, image.platform);
  const CopyOptions options{.platform = image.platform, .jobs = std::max(2U, run.jobs())};
  Writer::Accepts accepts = store.accepts();
  accepts.default_layer_codec.clear();  // the base keeps its digests
  const CopyPlan plan = plan_copy(*found.reader, found.root, accepts, options);
  const CopyResult copied =
      run_copy(plan, *found.reader, store, {}, options, run.services().observer, stop);
  const oci::Document document = store.document(copied.root);
  const auto* manifest = std::get_if<oci::Manifest>(&document.parsed);
  if (manifest == nullptr || !oci::is_image_config(manifest->config.media_type))
    throw Error(Errc::invalid_content, cat(quoted(image.name), " is not a container image"));
  return *manifest;
}

StageState image_state(const BuildRun& run, const ImageRef& image, const std::stop_token& stop) {
  const oci::Manifest manifest = fetch(run, image, stop);
  LayoutStore& store = run.services().store.images();
  const auto source = store.open(manifest.config);
  StageState state{
      .image = oci::parse_image_config(read_all(*source, oci::kMaxConfigBytes, "image config")),
      .root = RootFs(run.services().store)};
  const oci::Manifest converted = oci::converted(manifest, run.options().family);
  if (converted.layers.size() != state.image.diff_ids.size())
    throw Error(Errc::invalid_content,
                cat("image ", quoted(image.name), " has ", converted.layers.size(), " layers and ",
                    state.image.diff_ids.size(), " diff IDs"));
  for (std::size_t i = 0; i < converted.layers.size(); ++i)
    state.root.push({.blob = converted.layers[i], .diff_id = state.image.diff_ids[i]});
  if (!state.image.config) state.image.config.emplace();
  if (!platform_fits(state.image.platform(), image.platform)) {
    run.services().observer.notify({.kind = ProgressEvent::Kind::warning,
                                    .note = cat("image ", quoted(image.name), " is for ",
                                                oci::to_string(state.image.platform()), ", not ",
                                                oci::to_string(image.platform))});
  }
  if (!get_variable(state.image.config->env, "PATH"))
    set_variable(state.image.config->env, "PATH", kDefaultPath);
  for (const std::string& entry : state.image.config->env) {
    const std::size_t equals = entry.find('=');
    if (equals != std::string::npos)
      set_variable(state.environment, entry.substr(0, equals), entry.substr(equals + 1));
  }
  return state;
}

/// The stages and images of one build, each written by its own node of the graph and read by those
/// that need it.
class StageRunner {
 public:
  StageRunner(BuildRun& run, StageGraph graph)
      : run_(run),
        graph_(std::move(graph)),
        images_(graph_.images.size()),
        stages_(graph_.stages.size()) {}

  void run_all(const std::stop_token& stop) {
    std::vector<GraphNode> nodes;
    for (std::size_t i = 0; i < images_.size(); ++i)
      nodes.push_back({.run = [this, i](const std::stop_token& node) { find_image(i, node); }});
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      GraphNode node{.run = [this, i](const std::stop_token& token) { run_stage(i, token); }};
      add_need(graph_.stages[i].base, node.needs);
      for (const auto& [text, ref] : graph_.stages[i].from) add_need(ref, node.needs);
      nodes.push_back(std::move(node));
    }
    run_graph(nodes, run_.jobs(), stop);
  }

  std::vector<FinishedTarget> targets() {
    std::vector<FinishedTarget> out;
    for (std::size_t i = 0; i < graph_.targets.size(); ++i) {
      out.push_back({.platform = run_.targets()[i].platform, .state = *stages_[graph_.targets[i]]});
    }
    return out;
  }

 private:
  void add_need(const TreeRef& ref, std::vector<std::size_t>& needs) const {
    if (ref.kind == TreeRef::Kind::image) needs.push_back(ref.index);
    if (ref.kind == TreeRef::Kind::stage) needs.push_back(images_.size() + ref.index);
  }

  void find_image(std::size_t index, const std::stop_token& stop) {
    const ImageRef& image = graph_.images[index];
    const std::string item = cat("image ", image.name);
    const std::string label = cat("FROM ", printable(image.name));
    notify(ProgressEvent::Kind::started, item, label, {});
    try {
      images_[index] = image_state(run_, image, stop);
    } catch (const Error& e) {
      notify(ProgressEvent::Kind::failed, item, label, e.what());
      throw run_.file().source->error(e.code(), image.lines, cat(label, ": ", e.what()),
                                      e.detail());
    }
    notify(ProgressEvent::Kind::finished, item, label, {});
  }

  StageState base_of(const GraphStage& stage) const {
    if (stage.base.kind == TreeRef::Kind::scratch) return empty_state(run_, stage.platform);
    StageState state = stage.base.kind == TreeRef::Kind::image ? *images_[stage.base.index]
                                                               : *stages_[stage.base.index];
    state.cmd_set = false;
    return state;
  }

  const RootFs& tree_of(const GraphStage& stage, const std::string& from) const {
    const auto ref = stage.from.find(from);
    if (ref == stage.from.end())  // only a trigger of a base image can name what the graph lacks
      throw Error(Errc::unsupported, "--from in an ONBUILD trigger is not implemented");
    return ref->second.kind == TreeRef::Kind::image ? images_[ref->second.index]->root
                                                    : stages_[ref->second.index]->root;
  }

  void run_stage(std::size_t index, const std::stop_token& stop) {
    const GraphStage& stage = graph_.stages[index];
    const StageSource& source = run_.file().stages[stage.index];
    StageContext context(run_, base_of(stage),
                         {.platform = stage.platform,
                          .globals = run_.targets()[stage.target].globals,
                          .tree_of = [this, &stage](const std::string& from) -> const RootFs& {
                            return tree_of(stage, from);
                          }},
                         stop);
    const std::vector<std::unique_ptr<Instruction>> triggers = take_triggers(context, stage);
    const std::size_t count = triggers.size() + source.instructions.size();
    std::size_t number = 0;
    const std::string name = label_of(stage);
    const auto step = [&](const Instruction& instruction) {
      if (stop.stop_requested()) throw Cancelled();
      execute(context, instruction, cat(name, " ", ++number, "/", count));
    };
    for (const auto& trigger : triggers) step(*trigger);
    for (const auto& instruction : source.instructions) step(*instruction);
    stages_[index] = std::move(context.state());
  }

  /// "builder"; with several platforms "linux/amd64 builder", and of a stage that one platform's
  /// image needs from another "linux/amd64->arm64 builder".
  std::string label_of(const GraphStage& stage) const {
    const std::string name = stage_label(run_.file(), stage.index);
    if (run_.targets().size() == 1) return name;
    const oci::Platform& target = run_.targets()[stage.target].platform;
    const bool crosses = !stage.shared && stage.platform != target;
    return cat(oci::to_string(stage.platform),
               crosses ? cat("->", target.architecture,
                             target.variant.empty() ? "" : cat("/", target.variant))
                       : std::string(),
               " ", name);
  }

  /// Only a base of another build can bring a trigger whose argument a stage that was taken for the
  /// same on all platforms declares.
  void check_shared_trigger(const GraphStage& stage, const Instruction& trigger) const {
    if (!stage.shared) return;
    for (const std::string& name : trigger.declares()) {
      for (const BuildTarget& target : run_.targets()) {
        if (get_variable(target.globals, name) !=
            get_variable(run_.targets().front().globals, name))
          throw Error(Errc::unsupported,
                      cat("it depends on the platform: build one platform at a time"));
      }
    }
  }

  /// The base's ONBUILD lines, to be run first, once.
  std::vector<std::unique_ptr<Instruction>> take_triggers(StageContext& context,
                                                          const GraphStage& stage) const {
    const StageSource& source = run_.file().stages[stage.index];
    std::vector<std::unique_ptr<Instruction>> out;
    auto& stored = context.config().on_build;
    if (!stored) return out;
    for (const std::string& text : *stored) {
      try {
        const LogicalLine line = lex_trigger(text, source.from.lines);
        const auto& types = instruction_types();
        const bool allowed = std::any_of(types.begin(), types.end(), [&](const auto& type) {
          return type.keyword == line.keyword && type.in_trigger;
        });
        if (!allowed)
          throw Error(Errc::invalid_content,
                      cat("an ONBUILD trigger cannot be ", quoted(line.keyword)));
        out.push_back(parse_instruction({line, '\\'}));
        check_shared_trigger(stage, *out.back());
      } catch (const Error& e) {
        throw run_.file().source->error(e.code(), source.from.lines,
                                        cat("ONBUILD ", printable(text), ": ", e.what()));
      }
    }
    stored.reset();
    return out;
  }

  void execute(StageContext& context, const Instruction& instruction, const std::string& item) {
    const std::string label = cat("[", item, "] ", instruction.label());
    context.start_step(item, label);
    notify(ProgressEvent::Kind::started, item, label, {});
    try {
      instruction.execute(context);
    } catch (const Error& e) {
      notify(ProgressEvent::Kind::failed, item, label, e.what());
      throw run_.file().source->error(e.code(), instruction.line().lines,
                                      cat(instruction.label(), ": ", e.what()), e.detail());
    }
    notify(ProgressEvent::Kind::finished, item, label, context.was_cached() ? "cached" : "");
  }

  void notify(ProgressEvent::Kind kind, const std::string& item, const std::string& label,
              std::string_view note) const noexcept {
    run_.services().observer.notify(
        {.kind = kind, .item = item, .label = label, .note = std::string(note)});
  }

  BuildRun& run_;
  StageGraph graph_;
  std::vector<std::optional<StageState>> images_;
  std::vector<std::optional<StageState>> stages_;
};

void warn_of_unused_arguments(const BuildRun& run) {
  std::set<std::string> declared;
  for (const GlobalArg& arg : run.file().global_args) declared.insert(arg.name);
  for (const StageSource& stage : run.file().stages) {
    for (const auto& instruction : stage.instructions) {
      for (std::string& name : instruction->declares()) declared.insert(std::move(name));
    }
  }
  for (const auto& [name, value] : run.options().build_args) {
    if (declared.count(name) > 0 || is_proxy_variable(name) || name == "SOURCE_DATE_EPOCH" ||
        get_variable(run.targets().front().globals, name))
      continue;
    run.services().observer.notify({.kind = ProgressEvent::Kind::warning,
                                    .note = cat("build argument ", quoted(name), " was not used")});
  }
}

}  // namespace

BuildResult build(const BuildOptions& options, const BuildServices& services,
                  const std::stop_token& stop) {
  for (const std::string& name : options.names) (void)full_image_name(name);
  ContainerfileText text = read_containerfile(options);
  BuildRun run(options, services, parse_containerfile(std::move(text.name), std::move(text.text)));
  warn_of_unused_arguments(run);
  StageRunner stages(run, stage_graph(run.file(), options.target, run.targets()));
  stages.run_all(stop);
  BuildResult result = store_result(run, stages.targets());
  run.finish();
  return result;
}

}  // namespace lade::build
