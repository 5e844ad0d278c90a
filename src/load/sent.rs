//! Orders that were sent and may be sent again, cancelled or refunded.

use super::event::Order;
use super::random::Random;

/// How many orders are remembered: 80 bytes each.
const ORDERS_MAX: usize = 65_536;

/// A bounded memory of earlier orders.
///
/// Once full, a new order takes the place of a random one: what is drawn is mostly young, sometimes old, so that
/// duplicates meet outcomes in every place where these may lie (overlay, memory, disk).
#[derive(Debug, Clone, Default)]
pub(super) struct Sent {
    orders: Vec<Order>,
}

impl Sent {
    /// Remembers an order.
    pub(super) fn remember(&mut self, order: Order, random: &mut Random) {
        if self.orders.len() < ORDERS_MAX {
            self.orders.push(order);
        } else if let Some(place) = self.orders.get_mut(random.index(ORDERS_MAX)) {
            *place = order;
        }
    }

    /// Draws an earlier order, if there is any.
    pub(super) fn draw(&self, random: &mut Random) -> Option<Order> {
        self.orders.get(random.index(self.orders.len())).copied()
    }
}
