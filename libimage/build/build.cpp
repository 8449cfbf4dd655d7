#include "libimage/build/build.h"

#include <set>

#include "libimage/base/text.h"
#include "libimage/build/build_run.h"
#include "libimage/build/lint.h"
#include "libimage/build/result.h"
#include "libimage/build/solver.h"
#include "libimage/build/stage_graph.h"

namespace lade::build {
namespace {

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
        name == kCheckArgument || get_variable(run.targets().front().globals, name))
      continue;
    run.services().observer.notify({.kind = ProgressEvent::Kind::warning,
                                    .note = cat("build argument ", quoted(name), " was not used")});
  }
}

/// What no other builder understands is said to be wanted, so that nobody depends on it unawares.
void check_extensions(const BuildRun& run) {
  if (run.options().extensions) return;
  for (const StageSource& stage : run.file().stages) {
    for (const auto& instruction : stage.instructions) {
      if (instruction->is_extended())
        throw run.file().source->error(
            Errc::invalid_argument, instruction->line().lines,
            cat(instruction->label(),
                ": an extension of this program's own: allow it with --extensions"));
    }
  }
}

/// What triggers of base images read is known when these are found: then the graph is made anew,
/// and what was executed is in the cache. Each round knows more of a finite file.
std::vector<FinishedTarget> solve_with_triggers(BuildRun& run, const std::stop_token& stop) {
  TriggerSources triggers;
  for (;;) {
    try {
      return solve(run,
                   stage_graph(run.file(), run.options().target, run.targets(),
                               run.options().contexts, triggers),
                   stop);
    } catch (const NewTriggerSources& found) {
      TriggerFacts& facts = triggers[found.stage];
      facts.from.insert(found.from.begin(), found.from.end());
      facts.declares.insert(found.declares.begin(), found.declares.end());
      run.forget_counts();
    }
  }
}

BuildResult build_once(const BuildOptions& options, const BuildServices& services,
                       Contexts& contexts, const std::stop_token& stop) {
  ContainerfileText text = contexts.containerfile();
  BuildRun run(options, services, contexts,
               parse_containerfile(std::move(text.name), std::move(text.text)));
  check_extensions(run);
  warn_of_unused_arguments(run);
  check_result_options(run);
  struct Finish {  // also of a build that failed: what was learnt counts
    BuildRun& run;
    ~Finish() { run.finish(); }
  } const finish{run};
  return store_result(run, solve_with_triggers(run, stop), stop);
}

}  // namespace

BuildResult build(const BuildOptions& options, const BuildServices& services,
                  const std::stop_token& stop) {
  for (const std::string& name : options.names) (void)full_image_name(name);
  Contexts contexts(options, services, stop);
  for (;;) {
    try {
      return build_once(options, services, contexts, stop);
    } catch (const Error&) {
      // What was executed is in the store now, so that little is done twice.
      if (services.cache == nullptr || !services.cache->lost_layers()) throw;
    }
  }
}

}  // namespace lade::build
