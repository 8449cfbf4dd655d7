#include "libimage/build/lint_build.h"

#include <utility>

#include "libimage/base/text.h"
#include "libimage/image/select.h"

namespace lade::build {
namespace {

const IgnoreList* ignore_of(BuildRun& run) {
  if (run.options().context.empty()) return nullptr;
  try {
    return &run.context().ignore();
  } catch (const Error&) {  // told by the step that copies
    return nullptr;
  }
}

void warn(const BuildServices& services, std::string text) {
  services.observer.notify({.kind = ProgressEvent::Kind::warning, .note = std::move(text)});
}

/// Reads the configs of the graph's base images for `lint`.
void read_bases(const BuildRun& run, const StageGraph& graph, BuildLint& lint) {
  std::set<std::size_t> wanted;
  for (const GraphStage& stage : graph.stages) {
    if (stage.base.kind == TreeRef::Kind::image) wanted.insert(stage.base.index);
  }
  for (const std::size_t index : wanted) {
    const ImageRef& image = graph.images[index];
    try {
      const ResolvedBase base = run.services().resolve(image.name, image.platform);
      const oci::Document document = image::select(*base.reader, base.root, image.platform);
      lint.image_known(index,
                       image::read_config(*base.reader, std::get<oci::Manifest>(document.parsed)));
    } catch (const Error& e) {
      warn(run.services(),
           cat("checks that need image ", quoted(image.name), " are left out: ", e.what()));
    }
  }
}

/// The graphs that hold the stages to check: the target's, or enough for every stage.
std::vector<StageGraph> graphs_to_check(const BuildRun& run) {
  const std::string& target = run.options().target;
  if (!target.empty())
    return {stage_graph(run.file(), target, run.targets(), run.options().contexts)};
  std::vector<StageGraph> out;
  std::vector<bool> seen(run.file().stages.size());
  for (std::size_t i = seen.size(); i-- > 0;) {
    if (seen[i]) continue;
    out.push_back(
        stage_graph(run.file(), std::to_string(i), run.targets(), run.options().contexts));
    for (const GraphStage& stage : out.back().stages) seen[stage.index] = true;
  }
  return out;
}

void collect(const BuildOptions& options, const BuildServices& services, Contexts& contexts,
             Containerfile file, CheckResult& result) {
  BuildRun run(options, services, contexts, std::move(file));
  std::set<std::tuple<std::string, LineRange, std::string>> seen;
  const auto found = [&](const LintWarning& warning) {
    if (seen.emplace(warning.rule->name, warning.lines, warning.detail).second)
      result.warnings.push_back(warning);
  };
  const std::vector<Linter> linters = linters_of(run);
  bool first = true;
  for (const StageGraph& graph : graphs_to_check(run)) {
    BuildLint lint(linters, graph, found);
    if (std::exchange(first, false)) lint.check_file();
    lint.check_stages();
    read_bases(run, graph, lint);
  }
  sort_warnings(result.warnings);
  if (!result.warnings.empty() && linters.front().settings().error)
    result.error = lint_error(result.warnings);
}

}  // namespace

std::vector<Linter> linters_of(BuildRun& run) {
  const LintSettings settings = lint_settings(run.file(), run.options().build_args);
  std::vector<Linter> out;
  for (const BuildTarget& target : run.targets()) {
    out.emplace_back(LintInput{.file = run.file(),
                               .build_args = run.options().build_args,
                               .globals = target.globals,
                               .platform = target.platform,
                               .ignore = [&run] { return ignore_of(run); }},
                     settings);
  }
  return out;
}

BuildLint::BuildLint(const std::vector<Linter>& linters, const StageGraph& graph, Found found)
    : linters_(linters),
      graph_(graph),
      found_(std::move(found)),
      images_(graph.images.size()),
      ends_(graph.stages.size()) {}

void BuildLint::check_file() {
  const std::scoped_lock lock(mutex_);
  for (const Linter& linter : linters_) tell(linter.check_file());
}

void BuildLint::check_stages() {
  const std::scoped_lock lock(mutex_);
  advance();
}

void BuildLint::image_known(std::size_t index, const oci::ImageConfig& config) {
  const std::scoped_lock lock(mutex_);
  images_[index] = LintBase::of(config);
  advance();
}

const LintBase* BuildLint::base_of(const GraphStage& stage) const {
  static const LintBase kScratch;
  switch (stage.base.kind) {
    case TreeRef::Kind::image:
      return images_[stage.base.index] ? &*images_[stage.base.index] : nullptr;
    case TreeRef::Kind::stage:
      return ends_[stage.base.index] ? &*ends_[stage.base.index] : nullptr;
    case TreeRef::Kind::scratch:
    case TreeRef::Kind::context:
      break;
  }
  return &kScratch;
}

void BuildLint::advance() {
  for (std::size_t i = 0; i < ends_.size(); ++i) {  // each after all that it needs
    if (ends_[i]) continue;
    const GraphStage& stage = graph_.stages[i];
    const LintBase* base = base_of(stage);
    if (base == nullptr) continue;
    LintBase end;
    tell(linters_[stage.target].check_stage(stage.index, *base, &end));
    ends_[i] = std::move(end);
  }
}

void BuildLint::tell(const std::vector<LintWarning>& warnings) {
  for (const LintWarning& warning : warnings) {
    if (told_.emplace(warning.rule->name, warning.lines, warning.detail).second) found_(warning);
  }
}

RunningLint::RunningLint(BuildRun& run, const StageGraph& graph)
    : linters_(linters_of(run)), lint_(linters_, graph, [this, &run](const LintWarning& found) {
        found_.push_back(found);
        warn(run.services(), lint_text(*run.file().source, found));
      }) {
  lint_.check_file();
  lint_.check_stages();
  if (!linters_.front().settings().error) return;
  read_bases(run, graph, lint_);
  if (!found_.empty()) throw lint_error(found_);
}

CheckResult check_build(const BuildOptions& options, const BuildServices& services) {
  Contexts contexts(options, services, {});
  ContainerfileText text = contexts.containerfile();
  CheckResult result{.source = std::make_shared<const SourceText>(text.name, text.text)};
  try {
    collect(options, services, contexts,
            parse_containerfile(std::move(text.name), std::move(text.text)), result);
  } catch (const Error& e) {
    result.error = e;
  }
  return result;
}

}  // namespace lade::build
