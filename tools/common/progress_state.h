/// What is known of long work while it runs, and how it is put into lines. No terminal and no clock
/// of its own: the renderers in progress.cpp bring both.
#pragma once
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "libimage/base/progress.h"

namespace lade::tools {

using ProgressTime = std::chrono::steady_clock::time_point;

/// The name of the item whose `started` event tells the bytes of the whole operation.
inline constexpr std::string_view kWholeOperation = "whole";

/// Bytes a second over the last few seconds.
class ProgressRate {
 public:
  explicit ProgressRate(ProgressTime start) : samples_{{start, 0}} {}
  void add(ProgressTime now, std::uint64_t done);
  /// 0: unknown yet.
  [[nodiscard]] double bytes_a_second(ProgressTime now) const;

 private:
  struct Sample {
    ProgressTime time;
    std::uint64_t done;
  };
  std::deque<Sample> samples_;
};

/// An item that has begun and is not over.
struct ProgressItem {
  std::string name;
  std::string label;
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  ProgressTime started = {};
  ProgressRate rate;
  ProgressTime told = {};  ///< when a line about it was written last
};

class ProgressState {
 public:
  explicit ProgressState(ProgressTime start) : start_(start), rate_(start) {}

  /// Takes in `event`, which came at `now`.
  void record(const ProgressEvent& event, ProgressTime now);

  [[nodiscard]] const std::vector<ProgressItem>& items() const noexcept { return items_; }
  /// The item of that name; nullptr if there is none.
  [[nodiscard]] ProgressItem* find(const std::string& name);

  /// Lines for a terminal of `columns`, none of them longer than it: the whole, then what is under
  /// way, at most `most` (2 or more) lines in all.
  [[nodiscard]] std::vector<std::string> bars(std::size_t columns, std::size_t most,
                                              ProgressTime now) const;

  /// What to say of an item that is over; before record() is told.
  [[nodiscard]] std::string last_line(const ProgressEvent& event, ProgressTime now) const;
  /// What to say of an item that takes long.
  [[nodiscard]] std::string middle_line(const ProgressItem& item, ProgressTime now) const;
  /// The summary, with the time that all took and the rate of the bytes moved (`event.done`).
  [[nodiscard]] std::string summary_line(const ProgressEvent& event, ProgressTime now) const;
  [[nodiscard]] double seconds(ProgressTime now) const;

 private:
  [[nodiscard]] std::string whole_bar(std::size_t columns, ProgressTime now) const;

  ProgressTime start_;
  std::vector<ProgressItem> items_ = {};
  ProgressRate rate_;           // of all items
  std::uint64_t finished_ = 0;  // items with bytes
  std::uint64_t finished_bytes_ = 0;
  std::uint64_t moved_ = 0;  // bytes that were read, for rate_
  std::uint64_t started_bytes_ = 0;
  std::uint64_t whole_bytes_ = 0;  // of the operation; 0: not told
};

/// "0:07", "12:34", "1:02:03".
std::string clock_text(double seconds);

/// "0.4 s", "12 s", "3 min 20 s".
std::string duration_text(double seconds);

/// The first `columns` characters of `text` (UTF-8).
std::string clipped(std::string_view text, std::size_t columns);

}  // namespace lade::tools
