// The same sample as C++, and what only C++ has: templates and inline functions.
#include "sdk_sample.c"

template <class T> static bool in_template(T value)
{
    EVERETT_SOMETIMES(value > T(), "Inside a template");
    return true;
}

struct in_class {
    static bool method()
    {
        EVERETT_REACHABLE("Inside a method");
        return true;
    }
};

static bool both = in_template(1) && in_class::method();
