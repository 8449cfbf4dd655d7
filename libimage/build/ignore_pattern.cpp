#include "libimage/build/ignore_pattern.h"

#include <algorithm>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"

namespace lade::build {

PathGlob::PathGlob(std::string_view pattern, DoubleStar double_star) {
  const bool spans = double_star == DoubleStar::spans_directories;
  for (std::size_t i = 0; i < pattern.size();) {
    const char c = pattern[i];
    if (c == '*') {
      std::size_t stars = 0;
      while (i < pattern.size() && pattern[i] == '*') ++i, ++stars;
      only_literals_ = false;
      if (stars == 1 || !spans) {
        steps_.push_back({.kind = Step::Kind::star});
      } else if (i < pattern.size() && pattern[i] == '/') {
        ++i;
        steps_.push_back({.kind = Step::Kind::maybe_dirs});
        steps_.push_back({.kind = Step::Kind::maybe_dirs});  // the state inside it
      } else {
        steps_.push_back({.kind = Step::Kind::anything});
      }
      continue;
    }
    if (c == '?') {
      only_literals_ = false;
      steps_.push_back({.kind = Step::Kind::one});
      ++i;
      continue;
    }
    if (c == '[') {
      only_literals_ = false;
      add_class(pattern, i);
      continue;
    }
    if (c == '\\' && ++i == pattern.size())
      throw Error(Errc::invalid_content, cat("pattern ", quoted(pattern), " ends in an escape"));
    steps_.push_back({.kind = Step::Kind::literal, .c = pattern[i]});
    literal_ += pattern[i++];
  }
}

void PathGlob::add_class(std::string_view pattern, std::size_t& at) {
  const auto fail = [&] {
    throw Error(Errc::invalid_content, cat("pattern ", quoted(pattern), " has a bad [class]"));
  };
  Step step{.kind = Step::Kind::one_of};
  ++at;
  if (at < pattern.size() && pattern[at] == '^') {
    step.negated = true;
    ++at;
  }
  const auto character = [&] {
    if (at < pattern.size() && pattern[at] == '\\') ++at;
    if (at >= pattern.size()) fail();
    return static_cast<unsigned char>(pattern[at++]);
  };
  while (at < pattern.size() && pattern[at] != ']') {
    if (pattern[at] == '-') fail();
    Range range{};
    range.low = range.high = character();
    if (at < pattern.size() && pattern[at] == '-') {
      ++at;
      if (at < pattern.size() && pattern[at] == ']') fail();
      range.high = character();
    }
    step.ranges.push_back(range);
  }
  if (at >= pattern.size() || step.ranges.empty()) fail();
  ++at;
  steps_.push_back(std::move(step));
}

void PathGlob::enter(std::vector<std::size_t>& states, std::vector<bool>& present,
                     std::size_t state) const {
  // maybe_dirs is two steps: the first may be skipped whole, the second is its inside.
  while (!present[state]) {
    present[state] = true;
    states.push_back(state);
    if (state == steps_.size()) return;
    const Step::Kind kind = steps_[state].kind;
    if (kind == Step::Kind::star || kind == Step::Kind::anything) {
      ++state;
    } else if (kind == Step::Kind::maybe_dirs) {
      if (!present[state + 1]) {
        present[state + 1] = true;
        states.push_back(state + 1);
      }
      state += 2;
    } else {
      return;
    }
  }
}

bool PathGlob::matches(std::string_view path) const {
  if (only_literals_) return path == literal_;
  std::vector<std::size_t> now;
  std::vector<std::size_t> next;
  std::vector<bool> present(steps_.size() + 1);
  // A state of maybe_dirs reached by consuming is its inside: it has no way out but a slash.
  std::vector<bool> inside(steps_.size() + 1);
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (steps_[i].kind == Step::Kind::maybe_dirs) inside[++i] = true;
  }
  enter(now, present, 0);
  for (const char c : path) {
    next.clear();
    std::fill(present.begin(), present.end(), false);
    const auto stay = [&](std::size_t state) {
      if (present[state]) return;
      present[state] = true;
      next.push_back(state);
    };
    for (const std::size_t state : now) {
      if (state == steps_.size()) continue;
      const Step& step = steps_[state];
      switch (step.kind) {
        case Step::Kind::literal:
          if (step.c == c) enter(next, present, state + 1);
          break;
        case Step::Kind::one:
          if (c != '/') enter(next, present, state + 1);
          break;
        case Step::Kind::star:
          if (c != '/') enter(next, present, state);
          break;
        case Step::Kind::anything:
          enter(next, present, state);
          break;
        case Step::Kind::one_of: {
          const auto byte = static_cast<unsigned char>(c);
          const bool in = std::any_of(step.ranges.begin(), step.ranges.end(), [&](Range range) {
            return range.low <= byte && byte <= range.high;
          });
          if (c != '/' && in != step.negated) enter(next, present, state + 1);
          break;
        }
        case Step::Kind::maybe_dirs:
          if (!inside[state]) break;  // its inside is among the states already
          stay(state);
          if (c == '/') enter(next, present, state + 1);
          break;
      }
    }
    if (next.empty()) return false;
    std::swap(now, next);
  }
  return std::find(now.begin(), now.end(), steps_.size()) != now.end();
}

void IgnoreList::add(std::string_view line) {
  const bool include = line.starts_with('!');
  if (include) line = trimmed(line.substr(1));
  if (line.empty()) throw Error(Errc::invalid_content, "a lone '!' excludes nothing");
  const std::string cleaned = clean_path(line);
  if (cleaned.empty()) return;  // "/" or ".": the context itself
  if (patterns_.size() == kMaxPatterns)
    throw Error(Errc::limit_exceeded, cat("more than ", kMaxPatterns, " patterns"));
  stars_ += static_cast<std::size_t>(std::count(cleaned.begin(), cleaned.end(), '*'));
  if (stars_ > kMaxStars)
    throw Error(Errc::limit_exceeded, cat("more than ", kMaxStars, " stars in all patterns"));
  patterns_.push_back({.glob = PathGlob(cleaned), .include = include});
  has_exceptions_ = has_exceptions_ || include;
}

IgnoreList IgnoreList::parse(std::string_view text) {
  if (text.size() > kMaxBytes)
    throw Error(Errc::limit_exceeded, cat("the file has more than ", kMaxBytes, " bytes"));
  IgnoreList list;
  std::size_t number = 0;
  for (std::string_view line : split(text, '\n')) {
    if (++number == 1 && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
    if (line.starts_with('#')) continue;
    line = trimmed(line);
    if (line.empty()) continue;
    with_context([&] { return cat("line ", number); }, [&] { list.add(line); });
  }
  return list;
}

IgnoreList IgnoreList::of(const std::vector<std::string>& patterns) {
  IgnoreList list;
  for (const std::string& pattern : patterns) {
    const std::string_view text = trimmed(pattern);
    if (text.empty()) throw Error(Errc::invalid_content, "an empty pattern excludes nothing");
    with_context([&] { return cat("pattern ", quoted(pattern)); }, [&] { list.add(text); });
  }
  return list;
}

IgnoreList::Verdict IgnoreList::judge(std::string_view path, const Matched& parent) const {
  Verdict out;
  out.matched.resize(patterns_.size());
  for (std::size_t i = 0; i < patterns_.size(); ++i) {
    const Pattern& pattern = patterns_[i];
    bool match = !parent.empty() && parent[i];
    // A pattern that could not change the answer is not tried.
    if (!match && pattern.include == out.ignored) match = pattern.glob.matches(path);
    out.matched[i] = match;
    if (match) out.ignored = !pattern.include;
  }
  return out;
}

bool IgnoreList::ignores(std::string_view path) const {
  Verdict verdict;
  for (std::size_t end = path.find('/');; end = path.find('/', end + 1)) {
    verdict = judge(path.substr(0, end), verdict.matched);
    if (end == std::string_view::npos) return verdict.ignored;
  }
}

}  // namespace lade::build
