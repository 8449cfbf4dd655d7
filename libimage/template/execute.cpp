#include "libimage/template/execute.h"

#include <algorithm>
#include <optional>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/template/functions.h"
#include "libimage/template/go_text.h"

namespace lade::templates {
namespace {

using Words = std::vector<const Node*>;

/// How a list of nodes ended.
enum class Flow { normal, break_, continue_ };

class Executor {
 public:
  Executor(const Trees& trees, const std::string& name, std::string_view source,
           const Limits& limits, std::string& out)
      : trees_(trees), name_(name), source_(source), limits_(limits), out_(out) {}

  void run(const std::string& name, const Value& data) {
    const auto found = trees_.find(name);
    if (found == trees_.end()) {
      throw Error(Errc::invalid_argument, cat("template: no template ", go_quote(name),
                                              " associated with template ", go_quote(name_)));
    }
    executing_ = name;
    variables_ = {{"$", data}};
    walk(data, *found->second);
  }

 private:
  struct Variable {
    std::string name;
    Value value;
  };

  [[noreturn]] void fail(const std::string& message) const {
    const std::string_view before = source_.substr(0, node_->position);
    const std::size_t line = before.rfind('\n');
    const std::size_t column =
        line == std::string_view::npos ? before.size() : before.size() - line - 1;
    throw Error(
        Errc::invalid_argument,
        cat("template: ", name_, ":",
            1 + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n')), ":",
            column, ": executing ", go_quote(executing_), " at <", node_->str(), ">: ", message));
  }

  void step() {
    if (++steps_ > limits_.max_steps)
      throw Error(Errc::limit_exceeded, cat("template: ", name_, ": it takes too many steps"));
  }

  void write(std::string_view text) {
    if (out_.size() + text.size() > limits_.max_output) {
      throw Error(Errc::limit_exceeded,
                  cat("template: ", name_, ": more than ", limits_.max_output, " bytes of output"));
    }
    out_ += text;
  }

  // ---- walking ----

  Flow walk(const Value& dot, const Node& node) {
    step();
    node_ = &node;
    switch (node.kind) {
      case Node::Kind::text:
        write(node.text);
        return Flow::normal;
      case Node::Kind::action:
        print_action(dot, node);
        return Flow::normal;
      case Node::Kind::break_:
        return Flow::break_;
      case Node::Kind::continue_:
        return Flow::continue_;
      case Node::Kind::if_:
      case Node::Kind::with:
        return walk_branch(dot, node);
      case Node::Kind::range:
        return walk_range(dot, node);
      case Node::Kind::template_:
        walk_template(dot, node);
        return Flow::normal;
      default:
        return walk_list(dot, node);
    }
  }

  Flow walk_list(const Value& dot, const Node& list) {
    for (const NodePtr& child : list.children) {
      const Flow flow = walk(dot, *child);
      if (flow != Flow::normal) return flow;
    }
    return Flow::normal;
  }

  void print_action(const Value& dot, const Node& action) {
    const Value value = pipeline(dot, *action.pipe);
    if (!action.pipe->declarations.empty()) return;
    node_ = &action;
    if (value.is_missing() || (value.is_boxed() && value.unboxed().is_missing())) {
      write("<no value>");
    } else {
      write(print_value(value));
    }
  }

  Flow walk_branch(const Value& dot, const Node& node) {
    const std::size_t mark = variables_.size();
    const Value value = pipeline(dot, *node.pipe);
    Flow flow = Flow::normal;
    if (value.truth()) {
      flow = walk(node.is(Node::Kind::with) ? value : dot, *node.list);
    } else if (node.else_list) {
      flow = walk(dot, *node.else_list);
    }
    variables_.resize(mark);
    return flow;
  }

  Flow walk_range(const Value& dot, const Node& range) {
    node_ = &range;
    const std::size_t mark = variables_.size();
    const Value value = pipeline(dot, *range.pipe).unboxed();
    const std::optional<bool> ran = iterate(value, range);
    Flow flow = Flow::normal;
    if (!ran.value_or(false) && range.else_list) flow = walk(dot, *range.else_list);
    variables_.resize(mark);
    return flow;
  }

  /// Runs the body for each item; false if there was none.
  bool iterate(const Value& value, const Node& range) {
    const auto body = [&](const Value& index, const Value& item) {
      return one_iteration(range, index, item) != Flow::break_;
    };
    if (const auto* list = value.list()) {
      const bool any = list->element_type == kAnyType;
      for (std::size_t i = 0; i < list->items.size(); ++i) {
        const Value& item = list->items[i];
        if (!body(Value::of(static_cast<std::int64_t>(i)), any ? item.boxed() : item)) break;
      }
      return !list->items.empty();
    }
    if (const auto* map = value.map()) {
      const bool any = map->element_type == kAnyType;
      for (const auto& [key, item] : map->entries) {
        if (!body(Value::of(key), any ? item.boxed() : item)) break;
      }
      return !map->entries.empty();
    }
    if (const auto* count = value.as<std::int64_t>()) {
      if (range.pipe->declarations.size() > 1)
        fail(cat("can't use ", *count, " to iterate over more than one variable"));
      for (std::int64_t i = 0; i < *count; ++i) {
        if (!body({}, Value::of(i))) break;
      }
      return *count > 0;
    }
    if (!value.is_missing()) fail(cat("range can't iterate over ", print_value(value)));
    return false;
  }

  Flow one_iteration(const Node& range, const Value& index, const Value& item) {
    const auto& declared = range.pipe->declarations;
    const std::size_t mark = variables_.size();
    if (range.pipe->assigns) {
      if (declared.size() > 1) set_variable(declared[0]->names[0], index);
      if (!declared.empty()) set_variable(declared.back()->names[0], item);
    } else if (!declared.empty()) {
      // The pipeline has pushed one for each.
      variables_[mark - 1].value = item;
      if (declared.size() > 1) variables_[mark - 2].value = index;
    }
    const Flow flow = walk(item, *range.list);
    variables_.resize(mark);
    return flow;
  }

  void walk_template(const Value& dot, const Node& call) {
    node_ = &call;
    const auto found = trees_.find(call.text);
    if (found == trees_.end()) fail(cat("template ", go_quote(call.text), " not defined"));
    if (depth_ == limits_.max_depth)
      fail(cat("exceeded maximum template depth (", limits_.max_depth, ")"));
    const Value data = call.pipe ? pipeline(dot, *call.pipe) : Value();
    std::vector<Variable> outer = {{"$", data}};
    std::string outer_name = call.text;
    std::swap(outer, variables_);
    std::swap(outer_name, executing_);
    ++depth_;
    walk(data, *found->second);
    --depth_;
    std::swap(outer_name, executing_);
    std::swap(outer, variables_);
  }

  // ---- values ----

  void set_variable(const std::string& name, const Value& value) {
    for (auto found = variables_.rbegin(); found != variables_.rend(); ++found) {
      if (found->name == name) {
        found->value = value;
        return;
      }
    }
    fail(cat("undefined variable: ", name));
  }

  Value pipeline(const Value& dot, const Node& pipe) {
    step();
    node_ = &pipe;
    std::optional<Value> value;
    for (const NodePtr& command : pipe.children) {
      Value next = evaluate(dot, *command, value);
      value = next.is_boxed() ? next.unboxed() : std::move(next);
    }
    for (const NodePtr& declared : pipe.declarations) {
      if (pipe.assigns) {
        set_variable(declared->names.front(), *value);
      } else {
        variables_.push_back({declared->names.front(), *value});
      }
    }
    return value.value_or(Value());
  }

  void refuse_arguments(const Words& words, const std::optional<Value>& last) const {
    if (words.size() > 1 || last)
      fail(cat("can't give argument to non-function ", words.front()->str()));
  }

  Value evaluate(const Value& dot, const Node& command, const std::optional<Value>& last) {
    step();
    Words words;
    words.reserve(command.children.size());
    for (const NodePtr& word : command.children) words.push_back(word.get());
    const Node& first = *words.front();
    switch (first.kind) {
      case Node::Kind::field:
        node_ = &first;
        return field_chain(dot, first.names, 0, words, last);
      case Node::Kind::chain:
        return chain(dot, first, words, last);
      case Node::Kind::identifier:
        return function(dot, first, command, words, last);
      case Node::Kind::pipe:
        refuse_arguments(words, last);
        return pipeline(dot, first);
      case Node::Kind::variable:
        return variable(first, words, last);
      default:
        break;
    }
    node_ = &first;
    refuse_arguments(words, last);
    if (first.is(Node::Kind::dot)) return dot;
    if (first.is(Node::Kind::nil)) fail("nil is not a command");
    return first.constant;
  }

  Value chain(const Value& dot, const Node& node, const Words& words,
              const std::optional<Value>& last) {
    node_ = &node;
    const Node& inner = *node.children.front();
    if (inner.is(Node::Kind::nil)) fail(cat("indirection through explicit nil in ", node.str()));
    const Value receiver = argument(dot, std::nullopt, inner);
    return field_chain(receiver, node.names, 0, words, last);
  }

  Value variable(const Node& node, const Words& words, const std::optional<Value>& last) {
    node_ = &node;
    const auto found =
        std::find_if(variables_.rbegin(), variables_.rend(),
                     [&](const Variable& variable) { return variable.name == node.names.front(); });
    if (found == variables_.rend()) fail(cat("undefined variable: ", node.names.front()));
    const Value value = found->value;
    if (node.names.size() == 1) {
      if (!words.empty()) refuse_arguments(words, last);
      return value;
    }
    return field_chain(value, node.names, 1, words, last);
  }

  Value field_chain(Value receiver, const std::vector<std::string>& names, std::size_t first,
                    const Words& words, const std::optional<Value>& last) {
    for (std::size_t i = first; i < names.size(); ++i) {
      const bool has_arguments = i + 1 == names.size() && (words.size() > 1 || last);
      receiver = field(names[i], receiver, has_arguments);
    }
    return receiver;
  }

  Value field(const std::string& name, const Value& receiver, bool has_arguments) const {
    if (receiver.is_missing()) return {};
    const auto* nil = receiver.as<Value::Nil>();
    if (nil != nullptr) fail(cat("nil pointer evaluating ", receiver.type_name(), ".", name));
    if (const auto* record = receiver.record()) {
      if (const auto* found = record->find(name)) {
        if (has_arguments) {
          fail(cat(name, " has arguments but cannot be invoked as function"));
        }
        return found->value;
      }
    } else if (const auto* map = receiver.map()) {
      if (has_arguments) fail(cat(name, " is not a method but has arguments"));
      const auto found = map->entries.find(name);
      if (found == map->entries.end()) return {};
      return map->element_type == kAnyType ? found->second.boxed() : found->second;
    }
    fail(cat("can't evaluate field ", name, " in type ", receiver.type_name()));
  }

  // ---- calls ----

  static Param parameter(const Function& function, std::size_t index) {
    return index < function.fixed.size() ? function.fixed[index] : *function.variadic;
  }

  void check_count(const Function& function, const Words& words,
                   const std::optional<Value>& last) const {
    const std::size_t written = words.empty() ? 0 : words.size() - 1;
    const std::size_t given = written + (last ? 1 : 0);
    const std::size_t wanted = function.fixed.size();
    if (function.variadic != nullptr && given < wanted) {
      fail(cat("wrong number of args for ", function.name, ": want at least ", wanted, " got ",
               written));
    }
    if (function.variadic == nullptr && given != wanted)
      fail(cat("wrong number of args for ", function.name, ": want ", wanted, " got ", given));
  }

  Value function(const Value& dot, const Node& name, const Node& whole, const Words& words,
                 const std::optional<Value>& last) {
    node_ = &name;
    const Function* function = find_function(name.text);
    if (function == nullptr) fail(cat(go_quote(name.text), " is not a defined function"));
    check_count(*function, words, last);
    if (name.text == "and" || name.text == "or")
      return short_circuit(dot, name.text == "or", words, last);
    std::vector<Value> values;
    for (std::size_t i = 1; i < words.size(); ++i)
      values.push_back(argument(dot, parameter(*function, i - 1), *words[i]));
    if (last) values.push_back(checked(*last, parameter(*function, values.size())));
    try {
      if (function->call == nullptr) refuse_call(words, values.front().unboxed());
      return function->call(values, {.max_bytes = limits_.max_output});
    } catch (const FunctionError& e) {
      node_ = &whole;
      fail(cat("error calling ", name.text, ": ", e.what()));
    }
  }

  /// Values hold no functions, so that `call` has nothing to call.
  [[noreturn]] static void refuse_call(const Words& words, const Value& callee) {
    if (callee.is_missing()) throw FunctionError("call of nil");
    const std::string name = words.size() > 1 ? words[1]->str() : print_value(callee);
    throw FunctionError(cat("non-function ", name, " of type ", callee.type_name()));
  }

  Value short_circuit(const Value& dot, bool wanted, const Words& words,
                      const std::optional<Value>& last) {
    Value value;
    for (std::size_t i = 1; i < words.size(); ++i) {
      value = argument(dot, Param::value, *words[i]);
      if (value.unboxed().truth() == wanted) return value;
    }
    return last ? *last : value;
  }

  /// The value of a word; `param` nullopt: whatever it is.
  Value argument(const Value& dot, std::optional<Param> param, const Node& word) {
    step();
    node_ = &word;
    static const std::optional<Value> none;
    switch (word.kind) {
      case Node::Kind::dot:
        return param ? checked(dot, *param) : dot;
      case Node::Kind::nil:
        if (param == Param::text || param == Param::integer)
          fail(cat("cannot assign nil to ", type_of(*param)));
        return param == Param::value ? Value() : Value::nil();
      case Node::Kind::field:
        return checked_if(field_chain(dot, word.names, 0, {}, none), param);
      case Node::Kind::variable:
        return checked_if(variable(word, {}, none), param);
      case Node::Kind::pipe:
        return checked_if(pipeline(dot, word), param);
      case Node::Kind::identifier:
        return checked_if(function(dot, word, word, {}, none), param);
      case Node::Kind::chain:
        return checked_if(chain(dot, word, {}, none), param);
      default:
        return literal(word, param);
    }
  }

  Value literal(const Node& word, std::optional<Param> param) const {
    if (param == Param::text && word.constant.text() == nullptr)
      fail(cat("expected string; found ", word.str()));
    if (param == Param::integer && word.constant.as<std::int64_t>() == nullptr)
      fail(cat("expected integer; found ", word.str()));
    if (param == Param::text_list)
      fail(cat("can't handle ", word.str(), " for arg of type ", type_of(*param)));
    return word.constant;
  }

  Value checked_if(Value value, std::optional<Param> param) const {
    return param ? checked(value, *param) : value;
  }

  /// `value` as a parameter takes it.
  Value checked(const Value& value, Param param) const {
    if (param == Param::value) return value;
    const Value plain = value.unboxed();
    if (param == Param::anything) return plain.is_missing() ? Value::nil() : plain;
    if (value.is_missing()) {
      if (param == Param::text_list) return Value::of(ValueList{});
      fail(cat("invalid value; expected ", type_of(param)));
    }
    const bool fits = (param == Param::text && plain.text() != nullptr) ||
                      (param == Param::integer && plain.as<std::int64_t>() != nullptr) ||
                      (param == Param::text_list && is_text_list(plain));
    if (!fits) {
      fail(cat("wrong type for value; expected ", type_of(param), "; got ", plain.type_name()));
    }
    return plain;
  }

  /// Lists from JSON have elements of any type: what counts is that all are strings.
  static bool is_text_list(const Value& value) {
    const auto* list = value.list();
    return list != nullptr && std::all_of(list->items.begin(), list->items.end(),
                                          [](const Value& item) { return item.text() != nullptr; });
  }

  const Trees& trees_;
  const std::string& name_;
  std::string_view source_;
  const Limits& limits_;
  std::string& out_;
  std::string executing_ = {};
  std::vector<Variable> variables_ = {};
  const Node* node_ = nullptr;  ///< where it is, for messages
  std::size_t depth_ = 0;
  std::size_t steps_ = 0;
};

}  // namespace

void execute_trees(const Trees& trees, const std::string& name, std::string_view source,
                   const Value& data, const Limits& limits, std::string& out) {
  Executor(trees, name, source, limits, out).run(name, data);
}

}  // namespace lade::templates
