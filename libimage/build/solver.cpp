#include "libimage/build/solver.h"

#include <algorithm>
#include <chrono>
#include <list>
#include <mutex>
#include <thread>
#include <utility>

#include "libimage/base/text.h"
#include "libimage/build/base_image.h"
#include "libimage/build/config_edits.h"
#include "libimage/build/instructions.h"
#include "libimage/build/lint_build.h"
#include "libimage/build/stage.h"
#include "libimage/task/work_queue.h"

namespace lade::build {
namespace {

using Kind = ProgressEvent::Kind;

/// How soon a step that another process has ended is noticed.
constexpr std::chrono::milliseconds kLookAgain{10};

/// A stage on its way. Its steps are executed one after another, by one thread at a time.
struct RunningStage {
  std::optional<StageContext> context = {};
  std::vector<std::unique_ptr<Instruction>> triggers = {};  ///< of the base, executed first
  std::string label = {};
  std::size_t next = 0;    ///< of triggers and instructions, counted through
  bool announced = false;  ///< the observer was told of it
};

/// A stage's end or an image's documents, for which stages wait.
struct Milestone {
  bool reached = false;
  std::vector<std::size_t> waiting = {};  ///< stages
};

class Solver {
 public:
  Solver(BuildRun& run, StageGraph graph, const std::stop_token& stop)
      : run_(run),
        graph_(std::move(graph)),
        lint_(run_, graph_),
        queue_(stop),
        images_(graph_.images.size()),
        running_(graph_.stages.size()),
        finished_(graph_.stages.size()),
        image_milestones_(graph_.images.size()),
        stage_milestones_(graph_.stages.size()),
        users_(graph_.stages.size(), 0) {
    for (const std::size_t target : graph_.targets) ++users_[target];
    for (const GraphStage& stage : graph_.stages)
      for_each_stage_of(stage, [this](std::size_t used) { ++users_[used]; });
  }

  std::vector<FinishedTarget> solve() {
    for (std::size_t i = 0; i < images_.size(); ++i) queue_.add(0, [this, i] { find_image(i); });
    for (std::size_t i = 0; i < running_.size(); ++i) add_stage(i);
    queue_.run(run_.jobs());
    std::vector<FinishedTarget> out;
    for (std::size_t i = 0; i < graph_.targets.size(); ++i) {
      std::optional<StageState> state = finished_[graph_.targets[i]];
      if (!state) throw Error(Errc::internal, "solve: a stage was never finished");
      finish_target(*state, run_.options());
      fetch_layers(run_.services().store, state->root, std::max(4U, run_.jobs()), queue_.stop());
      out.push_back({.platform = run_.targets()[i].platform, .state = std::move(*state)});
    }
    return out;
  }

 private:
  void add_stage(std::size_t index) {
    queue_.add(1 + index, [this, index] { advance(index); });
  }

  void find_image(std::size_t index) {
    const ImageRef& image = graph_.images[index];
    const std::string platform =
        run_.targets().size() == 1 ? "" : cat(" (", oci::to_string(image.platform), ")");
    const std::string shown = hide_credentials(image.name);
    const std::string item = cat("image ", shown, platform);
    const std::string label = cat("FROM ", printable(shown), platform);
    notify(Kind::started, item, label, {});
    try {
      images_[index].source = BaseImage::open(run_, image, queue_.stop());
      images_[index].state = images_[index].source->state();
      lint_.image_known(index, images_[index].state->image);
    } catch (const Error& e) {
      notify(Kind::failed, item, label, hide_credentials(e.what()));
      throw run_.file().source->error(e.code(), image.lines, cat(label, ": ", e.what()),
                                      e.detail());
    }
    notify(Kind::finished, item, label, {});
    reach(image_milestones_[index]);
    if (target_stands_on(index)) {  // after all steps that are ready
      queue_.add(1 + running_.size(), [this, index] { images_[index].source->fetch_ahead(); });
    }
  }

  /// True if a result has the image's layers, so that they are needed whatever the cache holds.
  bool target_stands_on(std::size_t image) const {
    return std::any_of(graph_.targets.begin(), graph_.targets.end(), [&](std::size_t stage) {
      TreeRef base = graph_.stages[stage].base;
      while (base.kind == TreeRef::Kind::stage) base = graph_.stages[base.index].base;
      return base.kind == TreeRef::Kind::image && base.index == image;
    });
  }

  void reach(Milestone& milestone) {
    std::vector<std::size_t> waiting;
    {
      const std::scoped_lock lock(mutex_);
      milestone.reached = true;
      waiting = std::move(milestone.waiting);
    }
    for (const std::size_t stage : waiting) add_stage(stage);
  }

  /// False: the stage is added again when `ref` is there.
  bool is_there(const TreeRef& ref, std::size_t stage) {
    if (ref.kind == TreeRef::Kind::scratch || ref.kind == TreeRef::Kind::context) return true;
    Milestone& milestone = ref.kind == TreeRef::Kind::image ? image_milestones_[ref.index]
                                                            : stage_milestones_[ref.index];
    const std::scoped_lock lock(mutex_);
    if (!milestone.reached) milestone.waiting.push_back(stage);
    return milestone.reached;
  }

  /// Executes the stage's steps until one needs what is not there yet.
  void advance(std::size_t index) {
    const GraphStage& stage = graph_.stages[index];
    const StageSource& source = run_.file().stages[stage.index];
    RunningStage& running = running_[index];
    if (!running.context) {
      if (!is_there(stage.base, index)) return;
      begin(stage, running);
    }
    const std::size_t count = running.triggers.size() + source.instructions.size();
    for (; running.next < count; ++running.next, running.announced = false) {
      const Instruction& instruction = instruction_at(running, source);
      for (const std::string& from : instruction.from()) {
        const auto ref = stage.from.find(from);
        if (ref != stage.from.end() && !is_there(ref->second, index)) return;
      }
      if (queue_.stop().stop_requested()) throw Cancelled();
      try {
        execute(*running.context, instruction,
                cat(running.label, " ", running.next + 1, "/", count),
                {running.label, running.next}, running.announced);
      } catch (const StepPending& pending) {
        look_again_after(pending, index);
        return;
      }
    }
    finished_[index] = std::move(running.context->state());
    running.context.reset();
    reach(stage_milestones_[index]);
    release_what(stage);
  }

  /// The stages that `stage` stands on or copies from.
  template <typename Visit>
  static void for_each_stage_of(const GraphStage& stage, const Visit& visit) {
    if (stage.base.kind == TreeRef::Kind::stage) visit(stage.base.index);
    for (const auto& [text, ref] : stage.from) {
      if (ref.kind == TreeRef::Kind::stage) visit(ref.index);
    }
  }

  /// Forgets the stages that `stage`, which has ended, was the last to use.
  void release_what(const GraphStage& stage) {
    const std::scoped_lock lock(mutex_);
    for_each_stage_of(stage, [this](std::size_t used) {
      if (--users_[used] == 0) finished_[used].reset();
    });
  }

  static const Instruction& instruction_at(const RunningStage& running, const StageSource& source) {
    const std::size_t triggers = running.triggers.size();
    return running.next < triggers ? *running.triggers[running.next]
                                   : *source.instructions[running.next - triggers];
  }

  void look_again_after(const StepPending& pending, std::size_t stage) {
    if (pending.by == StepPending::By::this_build) {
      run_.step_table().when_released(pending.key, [this, stage] { add_stage(stage); });
      return;
    }
    queue_.expect();
    const std::scoped_lock lock(mutex_);
    watchers_.emplace_back([this, stage, key = pending.key] {
      while (!queue_.stop().stop_requested() && !run_.services().store.try_lock_step(key))
        std::this_thread::sleep_for(kLookAgain);
      queue_.add_expected(1 + stage, [this, stage] { advance(stage); });
    });
  }

  void begin(const GraphStage& stage, RunningStage& running) {
    running.label = label_of(stage);
    running.context.emplace(
        run_, base_of(stage),
        StageScope{.platform = stage.platform,
                   .globals = run_.targets()[stage.target].globals,
                   .tree_of = [this, &stage](const std::string& from) -> const RootFs& {
                     return tree_of(stage, from);
                   }},
        queue_.stop());
    if (is_target(stage)) begin_target(running.context->state(), run_.options(), run_.created());
    running.triggers = take_triggers(*running.context, stage);
    NewTriggerSources unknown{.stage = stage.index};
    for (const auto& trigger : running.triggers) {
      for (const std::string& from : trigger->from()) {
        if (stage.from.count(from) == 0 && from != stage.base_context) unknown.from.insert(from);
      }
    }
    for (const auto& trigger : running.triggers) add_unshared(stage, *trigger, unknown.declares);
    if (!unknown.from.empty() || !unknown.declares.empty()) throw unknown;
  }

  [[nodiscard]] bool is_target(const GraphStage& stage) const {
    return std::any_of(graph_.targets.begin(), graph_.targets.end(),
                       [&](std::size_t target) { return &graph_.stages[target] == &stage; });
  }

  StageState base_of(const GraphStage& stage) {
    if (stage.base.kind == TreeRef::Kind::scratch || stage.base.kind == TreeRef::Kind::context)
      return empty_state(run_, stage.platform);
    StageState state = stage.base.kind == TreeRef::Kind::image ? *images_[stage.base.index].state
                                                               : finished_state(stage.base.index);
    state.cmd_set = false;
    return state;
  }

  /// For one that stands on it: the state itself if nobody else will need it, so that a chain of
  /// stages does not copy its history again and again.
  StageState finished_state(std::size_t stage) {
    {
      const std::scoped_lock lock(mutex_);
      if (users_[stage] > 1) return *finished_[stage];
    }
    return std::move(*finished_[stage]);
  }

  const RootFs& tree_of(const GraphStage& stage, const std::string& from) const {
    const auto ref = stage.from.find(from);
    if (ref == stage.from.end())  // only a trigger of a base image can name what the graph lacks
      throw Error(Errc::internal, "an ONBUILD trigger's --from is not in the graph");
    return ref->second.kind == TreeRef::Kind::image ? images_[ref->second.index].state->root
                                                    : finished_[ref->second.index]->root;
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
  void add_unshared(const GraphStage& stage, const Instruction& trigger,
                    std::set<std::string>& names) const {
    if (!stage.shared) return;
    for (const std::string& name : trigger.declares()) {
      if (stage.declares.count(name) > 0) continue;
      for (const BuildTarget& target : run_.targets()) {
        if (get_variable(target.globals, name) !=
            get_variable(run_.targets().front().globals, name))
          names.insert(name);
      }
    }
  }

  /// A base that is a context: its files on an empty root.
  std::unique_ptr<Instruction> copy_of_context(const GraphStage& stage) const {
    const LogicalLine line{.keyword = "COPY",
                           .arguments = cat("--from=", stage.base_context, " / /"),
                           .lines = run_.file().stages[stage.index].from.lines};
    return parse_instruction({line, '\\'});
  }

  /// The base's ONBUILD lines, to be run first, once.
  std::vector<std::unique_ptr<Instruction>> take_triggers(StageContext& context,
                                                          const GraphStage& stage) const {
    const StageSource& source = run_.file().stages[stage.index];
    std::vector<std::unique_ptr<Instruction>> out;
    if (!stage.base_context.empty()) out.push_back(copy_of_context(stage));
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
        if (out.back()->is_extended() && !run_.options().extensions)
          throw Error(Errc::invalid_argument,
                      "an extension of this program's own: allow it with --extensions");
      } catch (const Error& e) {
        throw run_.file().source->error(e.code(), source.from.lines,
                                        cat("ONBUILD ", printable(text), ": ", e.what()));
      }
    }
    stored.reset();
    return out;
  }

  /// `announced`: whether the observer knows of the step, which may be begun several times.
  void execute(StageContext& context, const Instruction& instruction, const std::string& item,
               const StepPlace& place, bool& announced) {
    const std::string label = cat("[", item, "] ", instruction.label());
    context.start_step(item, label, place, instruction.label());
    struct End {
      StageContext& context;
      ~End() { context.end_step(); }
    } const end{context};
    if (!std::exchange(announced, true)) notify(Kind::started, item, label, {});
    try {
      instruction.execute(context);
    } catch (const Error& e) {
      notify(Kind::failed, item, label, hide_credentials(e.what()));
      const Error placed = run_.file().source->error(
          e.code(), instruction.line().lines, cat(instruction.label(), ": ", e.what()), e.detail());
      const std::string notes = context.failure_notes();
      if (notes.empty()) throw placed;
      const std::string_view message = placed.what();
      throw Error(e.code(), cat(message, message.ends_with('\n') ? "" : "\n", notes), e.detail());
    }
    notify(Kind::finished, item, label, context.was_cached() ? "cached" : "");
  }

  void notify(Kind kind, const std::string& item, const std::string& label,
              std::string_view note) const noexcept {
    run_.services().observer.notify(
        {.kind = kind, .item = item, .label = label, .note = std::string(note)});
  }

  struct Image {
    std::shared_ptr<BaseImage> source = {};
    std::optional<StageState> state = {};
  };

  BuildRun& run_;
  const StageGraph graph_;
  RunningLint lint_;
  WorkQueue queue_;
  // Each element is written by the work that makes it, and read by those who saw its milestone.
  std::vector<Image> images_;
  std::vector<RunningStage> running_;
  std::vector<std::optional<StageState>> finished_;
  std::mutex mutex_;
  std::vector<Milestone> image_milestones_;  // guarded by mutex_
  std::vector<Milestone> stage_milestones_;  // guarded by mutex_
  std::vector<std::size_t> users_;           // guarded by mutex_: how many stages need each yet
  std::list<std::jthread> watchers_;         // guarded by mutex_; joined first
};

}  // namespace

std::vector<FinishedTarget> solve(BuildRun& run, StageGraph graph, const std::stop_token& stop) {
  return Solver(run, std::move(graph), stop).solve();
}

}  // namespace lade::build
