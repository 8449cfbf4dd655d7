#include "tools/common/progress.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "libimage/base/text.h"

#include "tools/common/progress_lines.h"
#include "tools/common/progress_state.h"
#include "tools/common/terminal.h"
#include "tools/common/terminal_text.h"

namespace lade::tools {
namespace {

using Kind = ProgressEvent::Kind;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPaintEvery{100};

/// The output of steps that run at the same time, each filtered on its own, each line with the name
/// of its step.
class StepOutput {
 public:
  enum class Filter { none, terminal };
  std::string shown(const ProgressEvent& event, Filter filter) {
    Step& step = steps_.try_emplace(event.item, event.item).first->second;
    return step.lines.prefixed(filter == Filter::terminal ? step.text.filtered(event.note)
                                                          : event.note);
  }
  /// What a step that is over left without a line's end.
  std::string forget(const std::string& item) {
    const auto step = steps_.find(item);
    if (step == steps_.end()) return {};
    std::string rest = step->second.lines.rest();
    steps_.erase(step);
    return rest;
  }

 private:
  struct Step {
    explicit Step(const std::string& item) : lines(cat("[", printable(item), "] ")) {}
    TerminalText text = {};
    LinePrefix lines;
  };
  std::map<std::string, Step> steps_;
};

/// One line for each item that is over, and now and then one for items that take long: for logs,
/// which get a step's output byte by byte, and terminals.
class PlainProgress final : public ProgressObserver {
 public:
  void notify(const ProgressEvent& event) noexcept override {
    try {
      const std::scoped_lock lock(mutex_);
      render(event, Clock::now());
    } catch (const std::exception&) {  // progress must never end the work
    }
  }

 private:
  void render(const ProgressEvent& event, ProgressTime now) {
    switch (event.kind) {
      case Kind::started:
        // What has bytes is told of when they are there, a step when it begins.
        if (event.total == 0 && event.item != kWholeOperation) print_error(cat(event.label, "\n"));
        break;
      case Kind::finished:
      case Kind::failed:
        print_error(cat(output_.forget(event.item), state_.last_line(event, now), "\n"));
        break;
      case Kind::output:
        print_error(output_.shown(
            event, on_terminal_ ? StepOutput::Filter::terminal : StepOutput::Filter::none));
        break;
      case Kind::warning:
        print_error(cat("lade: warning: ", event.note, "\n"));
        break;
      case Kind::summary:
        print_error(cat(state_.summary_line(event, now), "\n"));
        break;
      case Kind::advanced:
        break;
    }
    state_.record(event, now);
    if (event.kind == Kind::advanced) tell_of_long(event.item, now);
  }

  void tell_of_long(const std::string& name, ProgressTime now) {
    constexpr std::chrono::seconds kTellEvery{10};
    ProgressItem* item = state_.find(name);
    if (item == nullptr || now - item->told < kTellEvery) return;
    item->told = now;
    print_error(cat(state_.middle_line(*item, now), "\n"));
  }

  std::mutex mutex_;
  ProgressState state_{Clock::now()};  // guarded by mutex_
  StepOutput output_;                  // guarded by mutex_
  const bool on_terminal_ = is_terminal(Stream::error);
};

/// One JSON object a line: docs/progress-events.md.
class JsonProgress final : public ProgressObserver {
 public:
  void notify(const ProgressEvent& event) noexcept override {
    try {
      const ProgressTime now = Clock::now();
      const std::scoped_lock lock(mutex_);
      state_.record(event, now);
      if (event.kind == Kind::advanced && !is_due(event.item, now)) return;
      print_error(json_line(event, state_.seconds(now)));
    } catch (const std::exception&) {  // progress must never end the work
    }
  }

 private:
  /// At most ten a second for an item.
  bool is_due(const std::string& name, ProgressTime now) {
    ProgressItem* item = state_.find(name);
    if (item == nullptr) return true;
    if (now - item->told < kPaintEvery) return false;
    item->told = now;
    return true;
  }

  std::mutex mutex_;
  ProgressState state_{Clock::now()};  // guarded by mutex_
};

/// Bars that are drawn over at 10 Hz; what is over scrolls up as plain lines.
class TerminalProgress final : public ProgressObserver {
 public:
  explicit TerminalProgress(Colours colours)
      : colours_(colours), painter_([this](const std::stop_token& stop) { paint_until(stop); }) {}

  ~TerminalProgress() override {
    painter_.request_stop();
    painter_.join();
    const std::scoped_lock lock(mutex_);
    print_error(cat(erased(painted_, columns()), settled_));
  }
  TerminalProgress(const TerminalProgress&) = delete;
  TerminalProgress& operator=(const TerminalProgress&) = delete;

  void notify(const ProgressEvent& event) noexcept override {
    try {
      const std::scoped_lock lock(mutex_);
      record(event, Clock::now());
    } catch (const std::exception&) {  // progress must never end the work
    }
  }

 private:
  void record(const ProgressEvent& event, ProgressTime now) {
    switch (event.kind) {
      case Kind::finished:
      case Kind::failed:
        settled_ += output_.forget(event.item);
        settle(state_.last_line(event, now), event.kind == Kind::failed ? "31" : "");
        break;
      case Kind::output:
        settled_ += output_.shown(event, StepOutput::Filter::terminal);
        break;
      case Kind::warning:
        settle(cat("lade: warning: ", event.note), "33");
        break;
      case Kind::summary:
        settle(state_.summary_line(event, now), "");
        break;
      case Kind::started:
      case Kind::advanced:
        break;
    }
    state_.record(event, now);
  }

  void settle(const std::string& line, std::string_view colour) {
    if (!settled_.empty() && settled_.back() != '\n') settled_ += '\n';
    settled_ += cat(coloured(line, colour, colours_), "\n");
  }

  void paint_until(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      wake_.wait_for(lock, stop, kPaintEvery, [] { return false; });
      if (!stop.stop_requested()) paint();
    }
  }

  static std::size_t columns() { return terminal_width(Stream::error, 80); }

  void paint() {
    const std::size_t width = columns();
    const std::size_t most =
        std::clamp<std::size_t>(terminal_height(Stream::error, 24), 6, kMostBars + 4) - 4;
    std::vector<std::string> lines = state_.bars(width, most, Clock::now());
    if (settled_.empty() && lines == painted_ && width == painted_width_) return;
    // One write, so that nothing is seen half drawn.
    std::string out = cat(erased(painted_, width), settled_);
    if (!settled_.empty() && settled_.back() != '\n') out += '\n';
    settled_.clear();
    for (const std::string& line : lines) out += cat(with_coloured_bar(line, colours_), "\n");
    print_error(out);
    painted_ = std::move(lines);
    painted_width_ = width;
  }

  static constexpr std::size_t kMostBars = 12;
  const Colours colours_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  ProgressState state_{Clock::now()};      // guarded by mutex_
  std::string settled_;                    // guarded by mutex_: to scroll up
  StepOutput output_;                      // guarded by mutex_
  std::vector<std::string> painted_ = {};  // guarded by mutex_: lines now on the screen
  std::size_t painted_width_ = 0;          // guarded by mutex_
  std::jthread painter_;
};

}  // namespace

std::unique_ptr<ProgressObserver> make_progress(const Arguments& arguments,
                                                const Environment& environment) {
  std::string mode = arguments.flag("quiet") ? "none" : arguments.value_or("progress", "auto");
  if (mode == "auto") {
    mode = is_terminal(Stream::error) && environment.variable("TERM") != "dumb" ? "tty" : "plain";
  }
  if (mode == "none") return std::make_unique<SilentObserver>();
  if (mode == "json") return std::make_unique<JsonProgress>();
  if (mode == "tty") {
    return std::make_unique<TerminalProgress>(
        environment.variable("NO_COLOR").empty() ? Colours::some : Colours::none);
  }
  return std::make_unique<PlainProgress>();
}

std::unique_ptr<ProgressObserver> make_progress_without_bars(const Arguments& arguments) {
  if (arguments.flag("quiet")) return std::make_unique<SilentObserver>();
  if (arguments.value_or("progress", "") == "json") return std::make_unique<JsonProgress>();
  return std::make_unique<PlainProgress>();
}

}  // namespace lade::tools
