#include "tools/common/progress.h"

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "libimage/base/text.h"
#include "libimage/oci/json_text.h"

#include "tools/common/terminal.h"
#include "tools/common/terminal_text.h"

namespace lade::tools {
namespace {

using Kind = ProgressEvent::Kind;

/// The output of steps that run at the same time, each filtered on its own.
class StepOutput {
 public:
  std::string shown(const ProgressEvent& event) { return steps_[event.item].filtered(event.note); }
  void forget(const std::string& item) { steps_.erase(item); }

 private:
  std::map<std::string, TerminalText> steps_;
};

/// One line an event worth a line: for logs, which get a step's output byte by byte, and terminals.
class PlainProgress final : public ProgressObserver {
 public:
  void notify(const ProgressEvent& event) noexcept override {
    try {
      const std::scoped_lock lock(mutex_);
      render(event);
    } catch (const std::exception&) {  // progress must never end the work
    }
  }

 private:
  void render(const ProgressEvent& event) {
    switch (event.kind) {
      case Kind::started:
        print_error(cat(event.label, size_of(event), "\n"));
        labels_[event.item] = event.label;
        break;
      case Kind::finished:
        print_error(cat(label_of(event), ": ", event.note.empty() ? "done" : event.note, "\n"));
        labels_.erase(event.item);
        output_.forget(event.item);
        break;
      case Kind::failed:
        print_error(cat(label_of(event), ": failed: ", event.note, "\n"));
        break;
      case Kind::output:
        print_error(on_terminal_ ? output_.shown(event) : event.note);
        break;
      case Kind::warning:
        print_error(cat("lade: warning: ", event.note, "\n"));
        break;
      case Kind::summary:
        print_error(cat(event.note, "\n"));
        break;
      case Kind::advanced:
        break;
    }
  }

  static std::string size_of(const ProgressEvent& event) {
    return event.total == 0 ? std::string() : cat(" (", human_size(event.total), ")");
  }

  std::string label_of(const ProgressEvent& event) {
    if (!event.label.empty()) return event.label;
    const auto found = labels_.find(event.item);
    return found == labels_.end() ? event.item : found->second;
  }

  std::mutex mutex_;
  std::map<std::string, std::string> labels_;  // guarded by mutex_
  StepOutput output_;                          // guarded by mutex_
  const bool on_terminal_ = is_terminal(Stream::error);
};

/// One JSON object a line.
class JsonProgress final : public ProgressObserver {
 public:
  void notify(const ProgressEvent& event) noexcept override {
    try {
      std::string line = cat("{\"event\":", oci::json_string(name_of(event.kind)));
      if (!event.item.empty()) line += cat(",\"item\":", oci::json_string(event.item));
      if (!event.label.empty()) line += cat(",\"label\":", oci::json_string(event.label));
      if (event.total != 0) line += cat(",\"done\":", event.done, ",\"total\":", event.total);
      if (!event.note.empty()) line += cat(",\"note\":", oci::json_string(event.note));
      line += "}\n";
      const std::scoped_lock lock(mutex_);
      print_error(line);
    } catch (const std::exception&) {  // progress must never end the work
    }
  }

 private:
  static std::string_view name_of(Kind kind) {
    switch (kind) {
      case Kind::started:
        return "started";
      case Kind::advanced:
        return "advanced";
      case Kind::finished:
        return "finished";
      case Kind::failed:
        return "failed";
      case Kind::output:
        return "output";
      case Kind::warning:
        return "warning";
      case Kind::summary:
        return "summary";
    }
    return "";
  }
  std::mutex mutex_;
};

/// Bars that are drawn over at 10 Hz; what is finished scrolls up as plain lines.
class TerminalProgress final : public ProgressObserver {
 public:
  TerminalProgress() : painter_([this](const std::stop_token& stop) { paint_until(stop); }) {}

  ~TerminalProgress() override {
    painter_.request_stop();
    painter_.join();
    const std::scoped_lock lock(mutex_);
    print_error(cat(erase(), settled_));
  }
  TerminalProgress(const TerminalProgress&) = delete;
  TerminalProgress& operator=(const TerminalProgress&) = delete;

  void notify(const ProgressEvent& event) noexcept override {
    try {
      const std::scoped_lock lock(mutex_);
      record(event);
    } catch (const std::exception&) {  // progress must never end the work
    }
  }

 private:
  struct Item {
    std::string name;
    std::string label;
    std::uint64_t done = 0;
    std::uint64_t total = 0;
  };

  void record(const ProgressEvent& event) {
    switch (event.kind) {
      case Kind::started:
        items_.push_back({event.item, event.label, 0, event.total});
        break;
      case Kind::advanced:
        for (Item& item : items_) {
          if (item.name == event.item) item.done = event.done;
        }
        break;
      case Kind::finished:
      case Kind::failed: {
        std::string label = event.label.empty() ? event.item : event.label;
        std::erase_if(items_, [&](const Item& item) {
          if (item.name != event.item) return false;
          label = item.label;
          return true;
        });
        output_.forget(event.item);
        const char* verdict = event.kind == Kind::failed ? "failed: " : "";
        settled_ += cat(label, ": ", verdict, event.note.empty() ? "done" : event.note, "\n");
        break;
      }
      case Kind::output:
        settled_ += output_.shown(event);
        break;
      case Kind::warning:
        settled_ += cat("lade: warning: ", event.note, "\n");
        break;
      case Kind::summary:
        settled_ += cat(event.note, "\n");
        break;
    }
  }

  void paint_until(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      wake_.wait_for(lock, stop, std::chrono::milliseconds(100), [] { return false; });
      paint();
    }
  }

  std::string erase() {
    std::string out;
    for (; painted_ > 0; --painted_) out += "\x1b[1A\x1b[2K";
    return out;
  }

  void paint() {
    std::string out = erase();
    out += settled_;
    if (!settled_.empty() && settled_.back() != '\n') out += '\n';
    settled_.clear();
    const std::size_t width = terminal_width(Stream::error, 80);
    for (const Item& item : items_) {
      if (painted_ == kMostBars) break;
      out += cat(line_of(item, width), "\n");
      ++painted_;
    }
    print_error(out);
  }

  static std::string line_of(const Item& item, std::size_t width) {
    std::string right;
    std::string bar;
    if (item.total != 0) {
      right = cat(" ", human_size(item.done), " / ", human_size(item.total));
      constexpr std::size_t kBar = 20;
      const std::size_t full = static_cast<std::size_t>(
          std::min<std::uint64_t>(kBar, item.done * kBar / std::max<std::uint64_t>(item.total, 1)));
      bar = cat(" [", std::string(full, '#'), std::string(kBar - full, '-'), "]");
    }
    std::string left = item.label;
    const std::size_t taken = right.size() + bar.size() + 1;
    const std::size_t room = width > taken + 8 ? width - taken : 8;
    if (left.size() > room) left.resize(room);
    return cat(left, bar, right);
  }

  static constexpr std::size_t kMostBars = 12;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::vector<Item> items_;  // guarded by mutex_
  std::string settled_;      // guarded by mutex_
  StepOutput output_;        // guarded by mutex_
  std::size_t painted_ = 0;  // guarded by mutex_: bar lines now on the screen
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
  if (mode == "tty") return std::make_unique<TerminalProgress>();
  return std::make_unique<PlainProgress>();
}

}  // namespace lade::tools
