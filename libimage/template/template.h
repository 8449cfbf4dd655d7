/// Go's text/template, as users of docker, podman and skopeo write it in --format: actions,
/// pipelines, variables, if, with, range, break, continue, define, template, block, comments and
/// trim markers, Go's functions (all but call) and docker's and podman's (join, json, lower, pad,
/// split, title, truncate, upper). Values have no methods.
///
/// Output and messages are Go's own, because scripts read them. Upper and lower case are changed in
/// ASCII only.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "libimage/template/value.h"

namespace lade::templates {

/// What one execution may cost; templates come from users, and data from strangers.
struct Limits {
  std::size_t max_output = std::size_t{64} * 1024 * 1024;  ///< bytes, of one value too
  std::size_t max_steps = 20'000'000;                      ///< nodes visited
  std::size_t max_depth = 100;                             ///< of {{template}} within {{template}}
};

class Template {
 public:
  /// `name` is what messages call it. Error{invalid_argument} where the text breaks the grammar
  /// ("template: NAME:LINE: ..."), Error{limit_exceeded} where it is too long.
  static Template parse(std::string name, std::string_view text);

  Template(Template&&) noexcept;
  Template& operator=(Template&&) noexcept;
  ~Template();

  /// Appends what the template makes of `data` to `out`; what was made before a failure stays
  /// there. Error{invalid_argument} "template: NAME:LINE:COLUMN: executing \"NAME\" at <WHAT>:
  /// ...", Error{limit_exceeded}.
  void execute(const Value& data, std::string& out, const Limits& limits = {}) const;

 private:
  struct State;
  explicit Template(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace lade::templates
