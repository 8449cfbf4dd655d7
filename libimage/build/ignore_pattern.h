/// Patterns of .dockerignore and .containerignore files, and Go's path matching for COPY sources.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace lade::build {

/// One glob over a path: `*` and `?` stay within a component, `**` spans any number of them, `[..]`
/// is a class, `\` escapes. Matching takes time linear in the path for a given pattern: the
/// positions of the pattern advance side by side, without backtracking.
class PathGlob {
 public:
  enum class DoubleStar { spans_directories, is_star };
  /// Throws Error{invalid_content} for a class or escape without its end.
  explicit PathGlob(std::string_view pattern,
                    DoubleStar double_star = DoubleStar::spans_directories);
  [[nodiscard]] bool matches(std::string_view path) const;

 private:
  struct Range {
    unsigned char low, high;
  };
  struct Step {
    enum class Kind {
      literal,
      one,        ///< any character but '/'
      star,       ///< any run of those
      one_of,     ///< a class
      anything,   ///< any run of characters
      maybe_dirs  ///< "" or any run that ends in '/'
    } kind = Kind::literal;
    char c = 0;
    bool negated = false;
    std::vector<Range> ranges = {};
  };
  void add_class(std::string_view pattern, std::size_t& at);
  void enter(std::vector<std::size_t>& states, std::vector<bool>& present, std::size_t state) const;
  std::vector<Step> steps_;
  std::string literal_;  // the whole pattern where it has no wildcard
  bool only_literals_ = true;
};

/// The lines of an ignore file. The last pattern that matches a path, or a directory above it,
/// decides; `!` includes again.
class IgnoreList {
 public:
  /// An ignore file is small; a bound keeps hostile ones so.
  static constexpr std::size_t kMaxBytes = std::size_t{1} << 20U;
  static constexpr std::size_t kMaxPatterns = 10'000;
  /// Stars in all patterns together: each may be tried at every character of every path.
  static constexpr std::size_t kMaxStars = 4'000;

  IgnoreList() = default;
  /// Throws Error{invalid_content} with the line's number.
  static IgnoreList parse(std::string_view text);
  /// The patterns one by one (COPY --exclude): no comments. Throws Error{invalid_content} with the
  /// pattern.
  static IgnoreList of(const std::vector<std::string>& patterns);

  [[nodiscard]] bool empty() const noexcept { return patterns_.empty(); }

  /// Which patterns matched a directory: what its entries start from.
  using Matched = std::vector<bool>;
  struct Verdict {
    bool ignored = false;
    Matched matched = {};
  };
  /// `parent` is the verdict's `matched` of the directory that holds `path`; empty for the root.
  [[nodiscard]] Verdict judge(std::string_view path, const Matched& parent) const;
  /// As judge(), for a path whose parents were not judged.
  [[nodiscard]] bool ignores(std::string_view path) const;
  /// False: nothing below an ignored directory can be included again, so it need not be read.
  [[nodiscard]] bool may_include_again() const noexcept { return has_exceptions_; }

 private:
  struct Pattern {
    PathGlob glob;
    bool include = false;
  };
  void add(std::string_view line);
  std::vector<Pattern> patterns_;
  std::size_t stars_ = 0;
  bool has_exceptions_ = false;
};

}  // namespace lade::build
