/// Functions of the table in functions.cpp that have files of their own. Each throws FunctionError;
/// the table says what they take.
#pragma once
#include <vector>

#include "libimage/template/functions.h"

namespace lade::templates {

/// Whether the first argument equals one of the others, and whether it equals none.
Value eq(const std::vector<Value>& arguments, const CallContext& context);
Value ne(const std::vector<Value>& arguments, const CallContext& context);

/// The order of two values of one basic type.
Value lt(const std::vector<Value>& arguments, const CallContext& context);
Value le(const std::vector<Value>& arguments, const CallContext& context);
Value gt(const std::vector<Value>& arguments, const CallContext& context);
Value ge(const std::vector<Value>& arguments, const CallContext& context);

/// Go's "not".
Value negation(const std::vector<Value>& arguments, const CallContext& context);

/// Each makes one text of its arguments and escapes it.
Value html(const std::vector<Value>& arguments, const CallContext& context);
Value js(const std::vector<Value>& arguments, const CallContext& context);
Value urlquery(const std::vector<Value>& arguments, const CallContext& context);

}  // namespace lade::templates
