#include "tools/common/progress_state.h"

#include <algorithm>
#include <cmath>

#include "libimage/base/text.h"

namespace lade::tools {
namespace {

using Kind = ProgressEvent::Kind;

double between(ProgressTime from, ProgressTime to) {
  return std::chrono::duration<double>(to - from).count();
}

/// The time that rates look back, and the least between two samples.
constexpr double kWindow = 5;
constexpr double kSampleEvery = 0.2;
/// Rates over less time than this are noise.
constexpr double kShortest = 0.5;

std::string rate_text(double rate) {
  return rate < 1 ? std::string() : cat(human_size(static_cast<std::uint64_t>(rate)), "/s");
}

std::size_t columns_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

std::string percent(std::uint64_t done, std::uint64_t total) {
  const auto share = static_cast<double>(done) / static_cast<double>(total);
  const std::string digits = cat(static_cast<unsigned>(std::min(share, 1.0) * 100));
  return cat(std::string(3 - digits.size(), ' '), digits, "%");
}

std::string bar(std::uint64_t done, std::uint64_t total, std::size_t size) {
  const auto share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  const auto full = static_cast<std::size_t>(share * static_cast<double>(size));
  return cat("[", std::string(full, '#'), std::string(size - full, '-'), "]");
}

/// What stands to the right of a label, as much as `columns` have room for.
std::string figures(std::uint64_t done, std::uint64_t total, double rate, std::size_t columns) {
  if (total == 0) return done == 0 ? std::string() : human_size(done);
  // Every figure has its place, so that the lines stand in columns.
  std::string text = percent(done, total);
  if (columns >= 72) {
    text += cat("  ", padded_left(human_size(done), 8), " / ", padded_left(human_size(total), 8));
  }
  if (columns >= 80) {
    const std::size_t size = std::min<std::size_t>(columns / 5 - 4, 40);
    text = cat(bar(done, total, size), " ", text);
  }
  text += cat("  ", padded_left(rate_text(rate), 10));
  if (columns >= 50) {
    const bool known = rate >= 1 && done < total;
    const std::string left =
        known ? clock_text(static_cast<double>(total - done) / rate) : std::string();
    text += cat("  ", padded_left(left, 5), columns >= 100 ? known ? " left" : "     " : "");
  }
  return text;
}

/// The label to the left, the figures to the right of a line.
std::string aligned(std::string_view label, const std::string& right, std::size_t columns) {
  const std::size_t width = columns > 1 ? columns - 1 : 1;  // the last column would wrap
  if (right.empty()) return clipped(label, width);
  const std::size_t taken = columns_of(right) + 1;
  if (taken + 4 > width) return clipped(right, width);
  std::string left = clipped(label, width - taken);
  left.append(width - taken - columns_of(left), ' ');
  return cat(left, " ", right);
}

}  // namespace

void ProgressRate::add(ProgressTime now, std::uint64_t done) {
  // Only every so often, so that many small steps do not fill the window.
  if (samples_.size() > 1 && between(samples_[samples_.size() - 2].time, now) < kSampleEvery) {
    samples_.back() = {now, done};
  } else {
    samples_.push_back({now, done});
  }
  while (samples_.size() > 2 && between(samples_[1].time, now) > kWindow) samples_.pop_front();
}

double ProgressRate::bytes_a_second(ProgressTime now) const {
  const double span = between(samples_.front().time, now);
  if (span < kShortest) return 0;
  return static_cast<double>(samples_.back().done - samples_.front().done) / span;
}

void ProgressState::record(const ProgressEvent& event, ProgressTime now) {
  switch (event.kind) {
    case Kind::started:
      if (event.item == kWholeOperation) {
        whole_bytes_ = event.total;
        return;
      }
      started_bytes_ += event.total;
      items_.push_back({.name = event.item,
                        .label = event.label,
                        .total = event.total,
                        .started = now,
                        .rate = ProgressRate(now),
                        .told = now});
      return;
    case Kind::advanced:
      if (ProgressItem* item = find(event.item)) {
        if (event.done > item->done) moved_ += event.done - item->done;  // less: begun again
        item->done = event.done;
        item->rate.add(now, std::max(event.done, std::uint64_t{0}));
        rate_.add(now, moved_);
      }
      return;
    case Kind::finished:
    case Kind::failed:
      if (const ProgressItem* item = find(event.item)) {
        // What exists or is mounted was not read: it counts as done, not as speed.
        if (event.kind == Kind::finished && event.note.empty() && item->total > item->done) {
          moved_ += item->total - item->done;
          rate_.add(now, moved_);
        }
        if (item->total != 0) ++finished_;
        finished_bytes_ += item->total;
        std::erase_if(items_, [&](const ProgressItem& each) { return each.name == event.item; });
      }
      return;
    case Kind::output:
    case Kind::warning:
    case Kind::summary:
      return;
  }
}

ProgressItem* ProgressState::find(const std::string& name) {
  const auto found = std::find_if(items_.begin(), items_.end(),
                                  [&](const ProgressItem& item) { return item.name == name; });
  return found == items_.end() ? nullptr : &*found;
}

double ProgressState::seconds(ProgressTime now) const { return between(start_, now); }

std::string ProgressState::whole_bar(std::size_t columns, ProgressTime now) const {
  std::uint64_t done = finished_bytes_;
  std::size_t under_way = 0;
  for (const ProgressItem& item : items_) {
    done += std::min(item.done, item.total);
    if (item.total != 0) ++under_way;
  }
  const std::uint64_t total = std::max(whole_bytes_, started_bytes_);
  return aligned(cat(finished_, " done, ", under_way, " under way"),
                 figures(done, total, rate_.bytes_a_second(now), columns), columns);
}

std::vector<std::string> ProgressState::bars(std::size_t columns, std::size_t most,
                                             ProgressTime now) const {
  std::vector<std::string> lines;
  if (items_.empty()) return lines;
  const bool whole = started_bytes_ != 0 && (finished_ != 0 || items_.size() > 1);
  if (whole) lines.push_back(whole_bar(columns, now));
  const std::size_t room = most - lines.size();
  const std::size_t shown = items_.size() <= room ? items_.size() : room - 1;
  for (std::size_t i = 0; i < shown; ++i) {
    const ProgressItem& item = items_[i];
    std::string right = figures(item.done, item.total, item.rate.bytes_a_second(now), columns);
    const double took = between(item.started, now);
    if (item.total == 0 && item.done == 0 && took >= 1) right = clock_text(std::floor(took));
    lines.push_back(aligned(item.label, right, columns));
  }
  if (shown < items_.size())
    lines.push_back(clipped(cat("... and ", items_.size() - shown, " more"), columns - 1));
  return lines;
}

std::string ProgressState::last_line(const ProgressEvent& event, ProgressTime now) const {
  const auto found = std::find_if(items_.begin(), items_.end(), [&](const ProgressItem& item) {
    return item.name == event.item;
  });
  std::string label = event.label;
  if (label.empty()) label = found == items_.end() ? event.item : found->label;
  if (event.kind == Kind::failed) {
    const bool step = found != items_.end() && found->total == 0;
    return cat(label, ": failed",
               step ? cat(" after ", duration_text(between(found->started, now))) : "", ": ",
               event.note);
  }
  if (event.note == "cached") return cat(label, ": CACHED");
  if (!event.note.empty()) return cat(label, ": ", event.note);
  if (found == items_.end()) return cat(label, ": done");
  if (found->total == 0)
    return cat(label, ": done in ", duration_text(between(found->started, now)));
  const double took = between(found->started, now);
  std::string text = cat(label, ": ", human_size(found->total), " in ", duration_text(took));
  if (took >= kShortest) {
    text += cat(", ", rate_text(static_cast<double>(found->total) / took));
  }
  return text;
}

std::string ProgressState::middle_line(const ProgressItem& item, ProgressTime now) const {
  std::string text = cat(item.label, ": ", human_size(item.done));
  if (item.total != 0) {
    text += cat(" of ", human_size(item.total), ", ", trimmed(percent(item.done, item.total)));
  }
  const double rate = item.rate.bytes_a_second(now);
  if (rate >= 1) text += cat(", ", rate_text(rate));
  if (rate >= 1 && item.done < item.total) {
    text += cat(", ", clock_text(static_cast<double>(item.total - item.done) / rate), " left");
  }
  return text;
}

std::string ProgressState::summary_line(const ProgressEvent& event, ProgressTime now) const {
  if (event.done == 0) return event.note;
  const double took = seconds(now);
  std::string text = cat(event.note, ", ", duration_text(took));
  if (took > 0.05) text += cat(", ", rate_text(static_cast<double>(event.done) / took));
  return text;
}

std::string clock_text(double seconds) {
  const auto whole = static_cast<std::uint64_t>(std::min(std::ceil(seconds), 359'999.0));
  const auto two = [](std::uint64_t number) { return cat(number < 10 ? "0" : "", number); };
  const std::uint64_t hours = whole / 3600;
  const std::uint64_t minutes = whole / 60 % 60;
  if (hours == 0) return cat(minutes, ":", two(whole % 60));
  return cat(hours, ":", two(minutes), ":", two(whole % 60));
}

std::string duration_text(double seconds) {
  if (seconds < 10) {
    const auto tenths = static_cast<unsigned>(std::lround(seconds * 10));
    return cat(tenths / 10, ".", tenths % 10, " s");
  }
  const auto whole = static_cast<std::uint64_t>(std::llround(seconds));
  if (whole < 60) return cat(whole, " s");
  return cat(whole / 60, " min ", whole % 60, " s");
}

std::string clipped(std::string_view text, std::size_t columns) {
  std::size_t at = 0;
  for (std::size_t seen = 0; at < text.size(); ++at) {
    const bool begins = (static_cast<unsigned char>(text[at]) & 0xC0U) != 0x80U;
    if (begins && seen++ == columns) break;
  }
  return std::string(text.substr(0, at));
}

}  // namespace lade::tools
