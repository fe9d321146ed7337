// SPDX-License-Identifier: ISC
// Unit tests of core/admission: a core that accepts so much a second, asked through fronts that obey.
#include "core/admission.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct place {
    struct admission admission;
    uint64_t random;
    double queue;                              // of core, at most a few
    uint32_t offered, came, accepted, refused; // sums
};

static double uniform(struct place *place)
{
    place->random = place->random * 6364136223846793005u + 1442695040888963407u;
    return (double)(place->random >> 11) / 9007199254740992.0;
}

// Arrivals of `rate` a second, of which `capacity` can be accepted.
static void run(struct place *place, double seconds, double rate, double capacity)
{
    place->offered = place->came = place->accepted = place->refused = 0;
    for (int i = 0; i < (int)(seconds * 10); i++) {
        uint32_t came = 0, refused = 0, accepted = 0;
        for (int k = 0; k < 1000; k++) { // a thousand chances in a tenth of a second
            if (uniform(place) < rate / 10000) {
                place->offered++;
                came += uniform(place) * ADMISSION_ALL >= place->admission.share;
            }
        }
        for (uint32_t k = 0; k < came; k++) {
            admission_arrived(&place->admission);
        }
        double room = capacity / 10;
        place->queue += came;
        while (room >= 1 && place->queue >= 1) {
            place->queue--;
            room--;
            accepted++;
        }
        if (place->queue >= 1 && uniform(place) < room) {
            place->queue--;
            accepted++;
        }
        while (place->queue > 3) {
            place->queue--;
            refused++;
        }
        for (uint32_t k = 0; k < accepted; k++) {
            admission_accepted(&place->admission);
        }
        for (uint32_t k = 0; k < refused; k++) {
            admission_refused(&place->admission);
        }
        admission_update(&place->admission, place->queue == 0);
        place->came += came;
        place->accepted += accepted;
        place->refused += refused;
    }
}

static void nothing_is_refused_early_that_core_accepts(void **state)
{
    (void)state;
    struct place place = {.random = 5};
    for (double rate = 1; rate < 5000; rate *= 3) { // however steep
        run(&place, 2, rate, 1e9);
        assert_int_equal(place.admission.share, 0);
        assert_int_equal(place.refused, 0);
    }
}

static void a_storm_is_let_through_as_far_as_it_can_be_served(void **state)
{
    (void)state;
    static const double capacities[] = {10, 25, 25, 400, 400}, times[] = {10, 2, 10, 10, 100};
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        struct place place = {.random = i};
        double capacity = capacities[i];
        run(&place, 3, capacity * times[i], capacity);
        run(&place, 30, capacity * times[i], capacity);
        assert_true(place.accepted > 30 * capacity * 0.97);
        assert_true(place.came < 30 * capacity * 2);
        assert_true(place.admission.share > ADMISSION_ALL / 4);
    }
}

static void after_a_storm_all_come_through_soon(void **state)
{
    (void)state;
    struct place place = {.random = 3};
    run(&place, 20, 250, 25);
    run(&place, 1.5, 15, 25);
    run(&place, 10, 15, 25);
    assert_true(place.offered - place.came < place.offered / 20);
    run(&place, 10, 15, 25);
    assert_int_equal(place.admission.share, 0);
}

static void more_room_is_used_soon(void **state)
{
    (void)state;
    struct place place = {.random = 4};
    run(&place, 3, 500, 5); // a crawling database, for one
    run(&place, 20, 500, 5);
    assert_true(place.came < 20 * 500 / 10);
    run(&place, 2, 500, 450);
    run(&place, 10, 500, 450);
    assert_true(place.accepted > 10 * 450 * 0.95);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_refused_early_that_core_accepts),
        cmocka_unit_test(a_storm_is_let_through_as_far_as_it_can_be_served),
        cmocka_unit_test(after_a_storm_all_come_through_soon),
        cmocka_unit_test(more_room_is_used_soon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
