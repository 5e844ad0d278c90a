//! Enums that are one byte on disk, so that their bytes do not hang on the order of their variants.

/// Gives an enum one byte on disk, and refuses bytes that it does not know.
macro_rules! one_byte {
    ($name:ident { $($variant:ident = $byte:literal),+ $(,)? }) => {
        impl bincode::Encode for $name {
            fn encode<E: bincode::enc::Encoder>(
                &self,
                encoder: &mut E,
            ) -> Result<(), bincode::error::EncodeError> {
                let byte: u8 = match self { $(Self::$variant => $byte,)+ };
                bincode::Encode::encode(&byte, encoder)
            }
        }

        impl<C> bincode::Decode<C> for $name {
            fn decode<D: bincode::de::Decoder<Context = C>>(
                decoder: &mut D,
            ) -> Result<Self, bincode::error::DecodeError> {
                match <u8 as bincode::Decode<C>>::decode(decoder)? {
                    $($byte => Ok(Self::$variant),)+
                    other => Err(bincode::error::DecodeError::OtherString(
                        format!("{} is no {}", other, stringify!($name)),
                    )),
                }
            }
        }

        bincode::impl_borrow_decode!($name);
    };
}
pub(super) use one_byte;
